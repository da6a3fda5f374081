// keep=output: what a later sweep needs stands meanwhile where an output will be written. It changes no bit, and is refused where something
// is still read there, or where no output can hold it.
#include <gtest/gtest.h>

#include "tests/x86/harness.h"

namespace normforge::testing {
namespace {

constexpr char kPlain[] = "fma=off rows=1 prefetch=0 split=1 store=normal ";

TEST(KeepOutput, ChangesNoBit) {
  for (const char *norm : {"softmax", "softmax inplace=y:x", "softmax strides=x:any,y:any", "softmax order=cols,rows", "softmax x=f64",
                           "softmax x=bf16 y=f32", "softmax_ragged", "log_softmax", "layer_norm strides=y:rows"})
    for (const auto &[rows, cols] : {std::pair(3, 1), {5, 33}, {2, 4099}}) {
      Case c{
          .problem = norm, .extents = {rows, cols}, .schedule = std::string(kPlain) + "keep=reread", .target = runnable_targets().back()};
      c.options.pieces = 2;
      const std::string expected = run_bits(c);
      EXPECT_LE(deviation(c), 1);
      for (const char *mapping : {"", " unroll=4", " split=4"}) {
        c.schedule = std::string(kPlain) + "keep=output" + mapping;
        if (applies(c)) // no parts where lengths vary
          EXPECT_EQ(run_bits(c) == expected, true) << norm << " " << rows << "x" << cols << " | " << c.schedule;
        else
          EXPECT_EQ(std::string_view(mapping), " split=4");
      }
    }
}

TEST(KeepOutput, IsRefusedWhereNoOutputServes) {
  const auto reason = [](const std::string &body, const std::string &rest) {
    const NormRef norm = parse_norms("norm mine(x[rows, cols]) -> y[rows, cols] {\n" + body + "}\n", "test").at(0);
    const SweepPlan plan = make_sweep_plan(parse_problem("test:mine " + rest, norm, "test"));
    const Target &target = find_target("x86-64-v3");
    const Backend &backend = backend_for(target);
    const Schedule schedule = parse_schedule(std::string(kPlain) + "keep=output", backend.knobs(), backend.default_schedule(plan, target));
    return backend.inapplicable(plan, schedule, target).value_or("");
  };
  const std::string exponentials = "  e = exp(x - max(x, cols))\n  y = e / sum(e, cols)\n";
  EXPECT_EQ(reason(exponentials, ""), "");
  EXPECT_EQ(reason(exponentials, "inplace=y:x"), "");
  constexpr char kRefused[] = "schedule: keep=output: no output can hold";
  const auto refused = [&](const std::string &body, const std::string &rest) { return reason(body, rest).starts_with(kRefused); };
  EXPECT_TRUE(refused(exponentials, "x=bf16")); // y is bf16, too
  const std::string with_x = "  e = exp(x - max(x, cols))\n  y = e / sum(e, cols) + x\n";
  EXPECT_EQ(reason(with_x, ""), "");
  EXPECT_TRUE(refused(with_x, "inplace=y:x"));                                             // x is read again
  const std::string centred = "  d = x - avg(x, cols)\n  y = d * rsqrt(avg(d^2, cols))\n"; // by way of the row's first element
  EXPECT_EQ(reason(centred, ""), "");
  EXPECT_TRUE(refused(centred, "inplace=y:x"));
}

} // namespace
} // namespace normforge::testing
