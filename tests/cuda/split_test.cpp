// Rows that blocks share have the bits of whole rows, on a GPU as on a CPU: for numbers of chunks about powers of two, with extents that
// are known and not, aligned memory and not, apart and in place. No block sees what another one of the same step writes: the emulator
// stops a kernel that would.
#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include "codegen/check/kernel_call.h"
#include "codegen/emulator.h"
#include "codegen/loader.h"
#include "tests/conformance/cases.h"

namespace normforge::testing {
namespace {

const bool kLong = std::getenv("NORMFORGE_LONG") != nullptr;

const Target &gpu() { return find_target("sm_90"); }
const Backend &cuda() { return backend_for(gpu()); }

struct Row {
  std::string problem, numerics;
  std::string threads; ///< whose rows the parts are of
  std::vector<std::vector<int64_t>> extents;
};

const std::vector<Row> kTable = {
    {"layer_norm", "lanes=32 chunk=64", "threads=8 vector=16", {{2, 63}, {1, 65}, {2, 129}, {1, 64 * 7 + 1}, {2, 64 * 8}, {1, 64 * 33}}},
    {"layer_norm x=bf16", "chunked lanes=64 chunk=128 fold=high", "threads=16 vector=8 rows=2", {{3, 129}, {1, 1023}, {2, 1300}}},
    {"layer_norm_monitored", "chunked lanes=128 chunk=128 fold=low", "threads=64 vector=4", {{2, 130}, {1, 1030}}},
    {"softmax x=f16", "lanes=64 chunk=64 fold=low", "threads=64 vector=2 unroll=2", {{2, 500}, {3, 1025}}},
    {"rms_norm x=f64", "lanes=16 chunk=64", "threads=4 vector=16 rows=4", {{5, 127}, {2, 520}}},
    {"layer_norm order=cols,rows", "chunk=64", "threads=32 vector=4", {{500, 5}, {129, 70}}},
    {"layer_norm order=cols,rows", "chunked chunk=64", "threads=96 vector=8", {{500, 5}, {129, 400}, {130, 200}}},
    {"batch_norm_train order=batch,space,channel x=bf16", "chunk=64", "threads=96 vector=4 rows=2", {{3, 200, 50}, {2, 385, 40}}},
    {"batch_norm_train", "lanes=32 chunk=64", "threads=8 vector=8 rows=2", {{7, 3, 30}, {3, 2, 129}, {33, 2, 7}}},
    {"batch_norm_train order=batch,space,channel", "chunked chunk=64", "threads=8 vector=4 rows=2", {{2, 7, 64}, {9, 35, 33}}},
    {"group_norm", "chunked lanes=32 chunk=64", "threads=32 vector=4", {{2, 2, 3, 77}, {1, 2, 200, 3}}},
};

/// An output's bits, of a call that goes well.
std::string bits_of(const Problem &problem, const Kernel &kernel, const std::vector<int64_t> &extents, const ReferenceInputs &inputs,
                    const CallOptions &options) {
  const LoadedKernel loaded(kernel);
  KernelCall call(problem, extents, inputs, options);
  call.run(kernel, loaded);
  EXPECT_EQ(take_emulator_fault(), "");
  return call.output_bits();
}

class Split : public ::testing::TestWithParam<Row> {};

TEST_P(Split, BlocksThatShareRowsHaveTheBitsOfACpu) {
  const Row &row = GetParam();
  const Problem open = parse_problem(row.problem);
  const SweepPlan open_plan = make_sweep_plan(open);
  int number = 0; // in the short run, one in three
  for (const std::vector<int64_t> &extents : row.extents) {
    const Problem exact = fixed(open, extents);
    const ReferenceInputs inputs = make_inputs(exact, extents, {.seed = 5, .mean = 3});
    const Target &cpu = host_target();
    const Backend &x86 = backend_for(cpu);
    const SweepPlan plan = make_sweep_plan(exact);
    const Numerics numerics = parse_schedule(row.numerics + " fma=off", cuda().knobs(), cuda().default_schedule(plan, gpu())).numerics;
    const std::string expected =
        bits_of(exact, x86.compile(plan, default_schedule(x86, plan, cpu, numerics), cpu, "kernel"), extents, inputs, {});
    for (const std::string split : {"1", "2", "8", "32", "128"})
      for (const bool known : {false, true}) {
        if (!kLong && (++number % 3 != 0))
          continue;
        const SweepPlan &used = known ? plan : open_plan;
        const Schedule schedule =
            parse_schedule(row.numerics + " fma=off | keep=reread blocks=1 rows=1 unroll=1 grid=whole " + row.threads + " split=" + split,
                           cuda().knobs(), cuda().default_schedule(used, gpu()));
        SCOPED_TRACE(to_text(used.problem) + " / " + to_text(schedule, cuda().knobs()));
        if (const auto reason = cuda().inapplicable(used, schedule, gpu())) {
          EXPECT_TRUE(known && reason->find("single chunk") != std::string::npos) << *reason;
          continue;
        }
        const Kernel kernel = compile_for_emulator(used, schedule, gpu(), "kernel");
        EXPECT_EQ(split != "1", kernel.steps.size() > plan.nests.size());
        set_emulated_order(known ? 17 : 0);
        EXPECT_TRUE(bits_of(used.problem, kernel, extents, inputs, {.padding = 3}) == expected);
        EXPECT_TRUE(bits_of(in_place(used.problem), kernel, extents, inputs, {.offset = 1, .pieces = 2}) == expected);
      }
  }
}

INSTANTIATE_TEST_SUITE_P(Problems, Split, ::testing::ValuesIn(kTable), [](const auto &info) {
  return info.param.problem.substr(0, info.param.problem.find(' ')) + "_" + std::to_string(info.index);
});

TEST(ThreadsOfATile, AreAPowerOfTwoOnlyWhereLanesAre) {
  const auto reason = [&](const std::string &problem) {
    const SweepPlan plan = make_sweep_plan(parse_problem(problem));
    return cuda().inapplicable(plan, parse_schedule("threads=96 rows=1 blocks=1", cuda().knobs(), cuda().default_schedule(plan, gpu())),
                               gpu());
  };
  EXPECT_EQ(reason("layer_norm cols=4096").value_or("none"),
            "schedule: threads=96 vector=16: rows go over lanes=1024 more than once, which they do not divide; use threads=64");
  EXPECT_EQ(reason("layer_norm order=cols,rows").value_or("none"), "none");
}

TEST(SplitOnAGpu, IsRefusedWhereItChangesNothing) {
  const auto reason = [&](const std::string &problem, const std::string &mapping) {
    const SweepPlan plan = make_sweep_plan(parse_problem(problem));
    return cuda().inapplicable(plan, parse_schedule(mapping, cuda().knobs(), cuda().default_schedule(plan, gpu())), gpu()).value_or("none");
  };
  EXPECT_EQ(reason("layer_norm cols=1000", "keep=reread split=8"), "schedule: split=8: a row is a single chunk; use split=1");
  EXPECT_EQ(reason("batch_norm_infer", "split=2"), "schedule: split=2: nothing is reduced; use split=1");
  EXPECT_EQ(reason("layer_norm cols=1000", "lanes=64 chunk=128 | threads=8 vector=16 keep=registers blocks=1 split=2"),
            "schedule: split=2: what is kept of a row does not outlast a sweep of its parts; use keep=reread, or split=1");
  EXPECT_EQ(reason("layer_norm cols=1000", "lanes=64 chunk=128 | threads=8 vector=16 keep=reread blocks=1 split=2"), "none");
}

/// Of a GPU with 132 multiprocessors most would do nothing.
TEST(SplitOnAGpu, FewItemsAreDividedOverManyBlocksByDefault) {
  struct {
    const char *problem;
    int64_t split, rows;
  } const table[] = {
      {"batch_norm_train batch=32 channel=64 space=3136 order=batch,space,channel", 128, 1},
      {"batch_norm_train batch=32 channel=2048 space=49 order=batch,space,channel", 8, 1},
      {"batch_norm_train batch=32 channel=2048 space=7 order=batch,space,channel", 1, 1}, // short
      {"layer_norm rows=1 cols=4194304", 128, 1},
      {"layer_norm rows=200 cols=4194304", 1, 1},
      {"rms_norm rows=100 cols=64", 1, 2},
      {"rms_norm rows=10000 cols=64", 1, 8},
  };
  for (const auto &[problem, split, rows] : table) {
    const Mapping mapping = cuda().default_schedule(make_sweep_plan(parse_problem(problem)), gpu()).mapping;
    const auto value = [&](std::string_view knob) {
      return mapping.values[size_t(std::ranges::find(cuda().knobs(), knob, &Knob::name) - cuda().knobs().begin())];
    };
    EXPECT_EQ(value("split"), split) << problem;
    EXPECT_EQ(value("rows"), rows) << problem;
  }
}

} // namespace
} // namespace normforge::testing
