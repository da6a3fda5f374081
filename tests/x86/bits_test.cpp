// The mapping half of a schedule, the level, how items are cut and whether extents are known when compiling change no bit.
#include <cstdlib>

#include <gtest/gtest.h>

#include "tests/x86/harness.h"

namespace normforge::testing {
namespace {

struct Row {
  std::string open;  ///< the problem with open extents
  std::string fixed; ///< what to add to fix them
  std::vector<int64_t> extents;
  std::string numerics = {}; ///< beside the default
};

/// Inner, outer and mixed reductions, ragged ones, one chunk and many.
const std::vector<Row> kTable = {
    {"layer_norm", " cols=768", {7, 768}},
    {"layer_norm", " cols=1000", {9, 1000}},
    {"layer_norm x=bf16 gamma=f32 beta=f32", " cols=4099", {5, 4099}},
    {"layer_norm order=cols,rows", " rows=70 cols=300", {70, 300}},
    {"softmax", " cols=1027", {5, 1027}},
    {"softmax x=bf16", " cols=100", {7, 100}},
    {"softmax_ragged", " cols=500", {9, 500}},
    {"rms_norm_quant", " cols=65", {6, 65}},
    {"add_layer_norm x=f16", " cols=2049", {5, 2049}},
    {"batch_norm_train", " batch=5 channel=7 space=300", {5, 7, 300}},
    {"batch_norm_train order=batch,space,channel", " batch=5 channel=70 space=90", {5, 70, 90}},
    {"batch_norm_ragged", " batch=4 seq=50 channel=33", {4, 50, 33}},
    {"batch_norm_ragged order=batch,channel,seq", " batch=9 seq=70 channel=3", {9, 70, 3}, " chunk=128"},
    {"group_norm", " batch=2 group=3 sub=5 space=77", {2, 3, 5, 77}},
    {"group_norm order=batch,space,group,sub", " batch=2 group=3 sub=8 space=301", {2, 3, 8, 301}},
    {"layer_norm", " cols=100", {7, 100}, " chunked"},
    {"layer_norm", " cols=1000", {9, 1000}, " chunked chunk=128"},
    {"layer_norm", " cols=33", {9, 33}, " chunked lanes=128"},
    {"softmax", " cols=20", {9, 20}, " lanes=128"},
    {"layer_norm x=bf16 gamma=f32 beta=f32", " cols=4099", {5, 4099}, " chunked"},
    {"layer_norm order=cols,rows", " rows=70 cols=300", {70, 300}, " chunked"},
    {"layer_norm_monitored x=f16", " cols=2049", {5, 2049}, " chunked chunk=256 fold=low"},
    {"layer_norm_ragged", " cols=500", {9, 500}, " chunked chunk=128"},
    {"batch_norm_train", " batch=5 channel=7 space=300", {5, 7, 300}, " chunked"},
    {"batch_norm_train", " batch=70 channel=3 space=50", {70, 3, 50}, " chunked"},
    {"batch_norm_train order=batch,space,channel", " batch=5 channel=70 space=90", {5, 70, 90}, " chunked"},
    {"batch_norm_ragged", " batch=4 seq=50 channel=33", {4, 50, 33}, " chunked"},
    {"batch_norm_ragged", " batch=4 seq=300 channel=33", {4, 300, 33}, " chunked"},
    {"batch_norm_ragged order=batch,channel,seq", " batch=9 seq=70 channel=3", {9, 70, 3}, " chunked chunk=128"},
    {"mean_variance_norm x=f64", " batch=6 channel=3 space=700", {6, 3, 700}, " chunked chunk=512"},
    {"group_norm order=batch,space,group,sub", " batch=2 group=3 sub=8 space=301", {2, 3, 8, 301}, " chunked chunk=128"},
};

const std::vector<std::string> kMappings = {"rows=1 unroll=4 store=stream",
                                            "rows=3 keep=reread",
                                            "rows=4 unroll=2 keep=scratch prefetch=2",
                                            "rows=1 vector=128 keep=reread",
                                            "rows=2 keep=scratch store=stream",
                                            "rows=1 keep=registers",
                                            "rows=1 keep=output prefetch=0",
                                            "rows=4 unroll=2 keep=output store=stream prefetch=2",
                                            "tile=16 keep=reread",
                                            "tile=256 unroll=2",
                                            "tile=32 keep=scratch",
                                            "tile=64 keep=output",
                                            "tile=128 store=stream",
                                            "rows=1 keep=reread prefetch=0 split=4 unroll=2 store=stream",
                                            "rows=1 keep=reread prefetch=0 split=32",
                                            "rows=1 keep=output prefetch=0 split=8"};

class Bits : public ::testing::TestWithParam<Row> {};

TEST_P(Bits, DependOnTheNumericsAlone) {
  // One numerics half for all levels: that of the lowest.
  const Row &row = GetParam();
  const Backend &backend = backend_for(find_target("x86-64-v2"));
  const SweepPlan plan = make_sweep_plan(parse_problem(row.open + row.fixed));
  const std::string numerics = to_text(backend.default_schedule(plan, find_target("x86-64-v2")).numerics) + row.numerics;
  const Case base{.problem = row.open + row.fixed, .extents = row.extents, .schedule = numerics, .target = "x86-64-v2"};
  EXPECT_LE(deviation(base), 1);
  const std::string expected = run_bits(base);
  const auto same = [&](const char *what, Case c) {
    EXPECT_EQ(run_bits(c) == expected, true) << what << ": " << c.problem << " | " << c.schedule << " on " << c.target;
  };
  for (const std::string &target : runnable_targets()) {
    Case c = base;
    c.target = target;
    same("level", c);
    c.options = {.pieces = 3};
    same("pieces", c);
    c.options = {.side = Guarded::at_start};
    same("alignment", c);
    c.problem = row.open;
    same("open extents", c);
    for (size_t i = 0; i < kMappings.size(); ++i) {
      c.schedule = numerics + " " + kMappings[i];
      for (const bool open : {false, true})
        if (getenv("NORMFORGE_LONG") || open == (i % 2 == 1)) {
          c.problem = open ? row.open : row.open + row.fixed;
          if (applies(c))
            same("mapping", c);
        }
    }
  }
}

TEST(Bits, DependOnTheNumerics) {
  const auto bits = [](const char *schedule) {
    return run_bits({.problem = "layer_norm cols=3000", .extents = {40, 3000}, .schedule = schedule});
  };
  EXPECT_NE(bits("lanes=32"), bits("lanes=16"));
  EXPECT_NE(bits("chunk=1024"), bits("chunk=256"));
  EXPECT_NE(bits("fold=high"), bits("fold=low"));
  EXPECT_NE(bits("two_pass"), bits("chunked"));
}

INSTANTIATE_TEST_SUITE_P(Problems, Bits, ::testing::ValuesIn(kTable));

} // namespace
} // namespace normforge::testing
