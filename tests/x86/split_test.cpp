// Rows that are split over several work items have the bits of whole rows: for numbers of chunks about powers of two, whichever way the
// parts are run, in place, and on any number of threads.
#include <fstream>

#include <gtest/gtest.h>

#include "codegen/compiled_call.h"
#include "tests/x86/harness.h"

namespace normforge::testing {
namespace {

const std::string kWhole = " | rows=1 keep=reread prefetch=0 store=normal tile=64";

struct Row {
  std::string problem;
  std::string numerics;
  std::vector<std::vector<int64_t>> extents;
};

std::vector<std::vector<int64_t>> about_powers_of_two(const std::function<std::vector<int64_t>(int64_t)> &extents_of) {
  std::vector<std::vector<int64_t>> all;
  for (const int64_t chunks : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 129})
    for (const int64_t more : {-1, 0, 1})
      all.push_back(extents_of(chunks * 128 + more));
  return all;
}

const std::vector<std::vector<int64_t>> kLines = about_powers_of_two([](int64_t n) { return std::vector<int64_t>{2, n}; });
const std::vector<std::vector<int64_t>> kColumns = about_powers_of_two([](int64_t n) { return std::vector<int64_t>{n, 3}; });

/// Runs longer than a chunk, as long, just under and over half of one, several to a chunk; runs of which there are few and many.
const std::vector<std::vector<int64_t>> kRuns = {{1, 2, 4099}, {2, 3, 128},  {5, 2, 129}, {7, 3, 300},  {33, 2, 127},
                                                 {16, 1, 128}, {17, 2, 65},  {64, 2, 64}, {65, 1, 63},  {100, 3, 31},
                                                 {257, 2, 7},  {1000, 2, 1}, {1, 3, 1},   {3, 2, 1000}, {13, 1, 1023}};

const std::vector<Row> kTable = {
    {"layer_norm", "lanes=32 chunk=128", kLines},
    {"layer_norm x=f64", "lanes=16 chunk=128", {{1, 127}, {2, 129}, {1, 2048}, {3, 2049}}},
    {"softmax x=bf16", "lanes=32 chunk=128 fold=low", {{1, 5}, {2, 1024}, {3, 1025}, {2, 4000}}},
    {"rms_norm_quant", "lanes=64 chunk=128", {{2, 500}, {3, 2100}}},
    {"layer_norm order=cols,rows", "chunk=128", kColumns},
    {"batch_norm_train", "lanes=32 chunk=128", kRuns},
    {"batch_norm_train order=batch,space,channel", "chunk=128", {{1, 7, 128}, {2, 65, 129}, {3, 70, 300}, {1, 1, 20}}},
    {"batch_norm_train order=batch,space,channel strides=x:rows,y:rows", "chunk=128", {{2, 7, 128}, {9, 65, 129}, {200, 3, 17}}},
    {"group_norm", "lanes=32 chunk=128", {{2, 2, 3, 77}, {1, 3, 5, 129}, {2, 1, 7, 1000}, {1, 2, 200, 3}}},
    {"group_norm order=batch,space,group,sub", "lanes=8 chunk=128", {{2, 2, 8, 99}, {1, 3, 5, 129}}},
    {"layer_norm", "chunked lanes=32 chunk=128", kLines},
    {"layer_norm x=bf16 order=cols,rows", "chunked chunk=128", kColumns},
    {"batch_norm_train", "chunked lanes=32 chunk=128", kRuns},
    {"batch_norm_train order=batch,space,channel", "chunked chunk=128", {{1, 7, 128}, {2, 65, 129}, {3, 70, 300}, {1, 1, 20}}},
    {"moments order=batch,space,channel strides=x:rows", "chunked chunk=128", {{2, 7, 128}, {9, 65, 129}, {200, 3, 17}}},
    {"layer_norm_monitored inplace=y:x", "chunked lanes=32 chunk=128", {{2, 130}, {1, 1025}}},
    {"layer_norm_monitored inplace=y:x", "lanes=32 chunk=128", {{2, 130}, {1, 1025}}},
};

class Split : public ::testing::TestWithParam<Row> {};

TEST_P(Split, RowsHaveTheBitsOfWholeOnes) {
  const Row &row = GetParam();
  for (const char *split : {" split=2", " split=4", " split=16", " split=32 tile=32 store=stream"}) {
    Case whole{.problem = row.problem, .extents = {}, .schedule = row.numerics + kWhole, .target = runnable_targets().back()};
    Case parts = whole;
    parts.schedule += split;
    if (!applies(parts))
      parts.schedule = whole.schedule + std::string(split).substr(0, 9);
    for (const auto &extents : row.extents) {
      whole.extents = parts.extents = extents;
      const std::string expected = run_bits(whole);
      for (const CallOptions &options : {CallOptions{}, CallOptions{.padding = 3, .pieces = 1000, .backwards = true}}) {
        parts.options = options;
        EXPECT_EQ(run_bits(parts) == expected, true) << row.problem << split << " " << ::testing::PrintToString(extents);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Problems, Split, ::testing::ValuesIn(kTable));

/// A norm of our own, with the pairs that are in place and extents.
struct InPlace {
  std::string name, text, pairs, numerics;
  std::vector<int64_t> extents;
};

const InPlace kInPlace[] = {
    {"layer_norm", "", "y:x", "two_pass fma=off", {300, 2000}},
    {"batch_norm_train", "", "y:x", "two_pass fma=off", {3, 2, 1000}},
    // Its second nest wants the pivots of the first.
    {"double_center",
     "norm double_center(x[rows, cols]) -> y[rows, cols] {\n a = avg(x, rows)\n b = avg(x, cols)\n y = x - a - b\n}",
     "y:x",
     "two_pass fma=off",
     {300, 2000}},
    // Its only step writes where others read their pivot.
    {"doubled",
     "norm doubled(x[rows, cols]) -> y[rows, cols], var[rows] {\n var = avg((x - avg(x, cols))^2, cols)\n y = x * 2\n}",
     "y:x",
     "chunked fma=off",
     {7, 2000}},
    // What a row's output overwrites is read again by the last sweep.
    {"rescaled",
     "norm rescaled(x[rows, cols], scale[rows]) -> y[rows, cols], root[rows] {\n root = sqrt(avg(x^2, cols))\n y = x / root * scale\n}",
     "root:scale",
     "two_pass fma=off",
     {7, 2000}},
};

TEST(Split, InPlaceNothingIsReadThatWasWritten) {
  for (const auto &[name, text, pairs, numerics, extents] : kInPlace) {
    const std::string path = ::testing::TempDir() + name + ".norm";
    if (!text.empty())
      std::ofstream(path) << text;
    const Case apart{.problem = text.empty() ? name : path, .extents = extents, .schedule = numerics + kWhole};
    EXPECT_LE(deviation(apart), 1) << name;
    for (const char *split : {"", " split=8"})
      for (const bool backwards : {false, true}) {
        Case same = apart;
        same.problem += " inplace=" + pairs;
        same.schedule += split;
        same.options = {.pieces = 1000, .backwards = backwards};
        EXPECT_EQ(run_bits(same) == run_bits(apart), true) << name << split;
      }
  }
}

TEST(Split, ThreadsShareARow) {
  const Target &target = host_target();
  const Backend &backend = backend_for(target);
  const SweepPlan plan = make_sweep_plan(parse_problem("layer_norm outputs=y"));
  constexpr int64_t kColumnsOfRow = 300'001;
  const std::vector<float> x = [] {
    std::vector<float> values(2 * kColumnsOfRow);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = float(i % 977) * 0.25f + 1000;
    return values;
  }();
  std::vector<float> gamma(kColumnsOfRow, 1.5f), beta(kColumnsOfRow, -0.5f), expected;
  for (const char *split : {"", " split=4", " split=32"})
    for (const int threads : {1, 2, 5}) {
      std::vector<float> y(x.size());
      CompiledCall call(plan, parse_schedule(kWhole + split, backend.knobs(), backend.default_schedule(plan, target)), target);
      call.bind({2, kColumnsOfRow}, {(void *)x.data(), gamma.data(), beta.data(), y.data(), nullptr, nullptr}, {1e-5});
      call.run(threads);
      if (expected.empty())
        expected = y;
      EXPECT_EQ(y == expected, true) << split << " on " << threads;
    }
}

TEST(Split, IsRefusedWhereItChangesNothing) {
  const Target &target = find_target("x86-64-v3");
  const Backend &backend = backend_for(target);
  const auto reason = [&](const std::string &problem, const std::string &mapping) {
    const SweepPlan plan = make_sweep_plan(parse_problem(problem));
    return backend
        .inapplicable(plan,
                      parse_schedule("rows=1 keep=reread prefetch=0 " + mapping, backend.knobs(), backend.default_schedule(plan, target)),
                      target)
        .value_or("none");
  };
  EXPECT_EQ(reason("layer_norm cols=1024", "split=8"), "schedule: split=8: a row is a single chunk; use split=1");
  EXPECT_EQ(reason("layer_norm cols=1025", "split=8"), "none");
  EXPECT_EQ(reason("batch_norm_infer", "split=2"), "schedule: split=2: nothing is reduced; use split=1");
  EXPECT_EQ(reason("softmax_ragged", "split=2"), "schedule: split=2: lengths of rows vary; use split=1");
  EXPECT_EQ(reason("softmax", "split=2 rows=2"),
            "schedule: split: parts of a row are worked on one at a time; use rows=1 prefetch=0, or split=1");
  EXPECT_EQ(reason("softmax cols=3000", "split=2 keep=scratch"),
            "schedule: split=2: what is kept of a row does not outlast a sweep of its parts; use keep=reread, or split=1");
}

} // namespace
} // namespace normforge::testing
