// keep=output: what a later sweep needs stands meanwhile where an output will be written. It changes no bit, and is refused where something
// may still be read there, or where no output can hold it.
#include <gtest/gtest.h>

#include "tests/x86/harness.h"

namespace normforge::testing {
namespace {

constexpr char kPlain[] = "fma=off rows=1 prefetch=0 split=1 store=normal ";

TEST(KeepOutput, ChangesNoBit) {
  for (const char *norm : {"softmax", "softmax inplace=y:x", "softmax strides=x:any,y:any", "softmax order=cols,rows", "softmax x=f64",
                           "softmax x=bf16 y=f32", "softmax_ragged", "log_softmax", "layer_norm x=bf16 y=f32 strides=y:rows"})
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

/// A norm of one tensor, with the problem's further words.
Problem problem_with(const std::string &body, const std::string &words) {
  const NormRef norm = parse_norms("norm mine(x[rows, cols]) -> y[rows, cols] {\n" + body + "}\n", "test").at(0);
  return parse_problem("test:mine " + words, norm, "test");
}

const Target &target() { return find_target("x86-64-v3"); }
const Backend &backend() { return backend_for(target()); }

Schedule in_output(const SweepPlan &plan) {
  return parse_schedule(std::string(kPlain) + "keep=output", backend().knobs(), backend().default_schedule(plan, target()));
}

/// Why keep=output is refused; empty: it is not.
std::string refusal(const SweepPlan &plan) { return backend().inapplicable(plan, in_output(plan), target()).value_or(""); }

const std::string kExponentials = "  e = exp(x - max(x, cols))\n  y = e / sum(e, cols)\n";
const std::string kWithInput = "  e = exp(x - max(x, cols))\n  y = e / sum(e, cols) + x\n";
const std::string kCentred = "  d = x - avg(x, cols)\n  y = d * rsqrt(avg(d^2, cols))\n"; // by way of the row's first element

TEST(KeepOutput, IsRefusedWhereNoOutputServes) {
  const auto reason = [](const std::string &body, const std::string &words) { return refusal(make_sweep_plan(problem_with(body, words))); };
  EXPECT_EQ(reason(kExponentials, ""), "");
  EXPECT_EQ(reason(kExponentials, "inplace=y:x"), "");
  EXPECT_EQ(reason(kWithInput, "x=bf16 y=f32"), ""); // too narrow to be y
  EXPECT_EQ(reason(kCentred, "x=bf16 y=f32"), "");
  const auto refused = [&](const std::string &body, const std::string &words) {
    return reason(body, words).starts_with("schedule: keep=output: no output can hold");
  };
  EXPECT_TRUE(refused(kExponentials, "x=bf16")); // y is bf16, too
  for (const char *words : {"", "inplace=y:x"}) {
    EXPECT_TRUE(refused(kWithInput, words)); // x is read again
    EXPECT_TRUE(refused(kCentred, words));
  }
}

/// A problem that says nothing of it may be called in place.
TEST(KeepOutput, ServesCallsInPlaceWhereItServesAny) {
  int served = 0;
  for (const std::string &body : {kExponentials, kWithInput, kCentred}) {
    const Problem problem = problem_with(body, ""), shared = problem_with(body, "inplace=y:x");
    const SweepPlan plan = make_sweep_plan(problem);
    if (!refusal(plan).empty())
      continue;
    const Kernel kernel = backend().compile(plan, in_output(plan), target(), "kernel");
    const LoadedKernel loaded(kernel);
    const std::vector<int64_t> extents{3, 100};
    const ReferenceInputs inputs = make_inputs(problem, extents, {});
    KernelCall apart(problem, extents, inputs), in_place(shared, extents, inputs);
    apart.run(kernel, loaded);
    in_place.run(kernel, loaded);
    EXPECT_EQ(in_place.output_bits() == apart.output_bits(), true) << body;
    ++served;
  }
  EXPECT_GE(served, 1);
}

} // namespace
} // namespace normforge::testing
