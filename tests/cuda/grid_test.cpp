// How blocks share rows and what they fetch ahead: persistent grids on GPUs with any number of multiprocessors, copies, clusters. Each such
// schedule gives the bits of the neutral one, in several orders of threads and blocks, on aligned memory and not, apart and in place.
#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include "codegen/check/kernel_call.h"
#include "codegen/emulator.h"
#include "dsl/error.h"
#include "tests/conformance/cases.h"

namespace normforge::testing {
namespace {

const Target &gpu() { return find_target("sm_90"); }

/// A problem of fixed extents and the schedules that it is run by.
class Subject {
public:
  explicit Subject(const std::string &text) : Subject(parse_problem(text)) {}
  explicit Subject(const Problem &fixed) : problem(fixed), plan(make_sweep_plan(problem)) {
    for (const Extent &extent : problem.extents)
      extents.push_back(extent.lo);
    inputs = make_inputs(problem, extents, {.seed = 5, .mean = 0.5});
  }

  std::string refusal(const std::string &mapping, std::string_view target = "sm_90") const {
    const Backend &cuda = backend_for(gpu());
    const Schedule schedule = parse_schedule(mapping, cuda.knobs(), cuda.default_schedule(plan, gpu()));
    return cuda.inapplicable(plan, schedule, find_target(target)).value_or("");
  }

  /// The bits of all ways to run a schedule, which must be the same.
  std::string bits(const std::string &mapping) const {
    SCOPED_TRACE(to_text(problem) + " / " + mapping);
    const Kernel kernel = compile_for_emulator(plan, schedule_for(plan, gpu(), mapping), gpu(), "kernel");
    const LoadedKernel loaded(kernel);
    std::string first;
    for (int multiprocessors : {1, 2, 3, 100})
      for (int64_t offset : {0, 1, 2}) {
        set_emulated_order(uint64_t(multiprocessors) - 1);
        set_emulated_multiprocessors(multiprocessors);
        KernelCall call(offset ? in_place(problem) : problem, extents, inputs, {.side = Guarded::at_start, .offset = offset});
        call.run(kernel, loaded);
        EXPECT_EQ(take_emulator_fault(), "");
        if (first.empty())
          first = call.output_bits();
        EXPECT_TRUE(first == call.output_bits()) << multiprocessors << " multiprocessors, " << offset << " elements off alignment";
      }
    set_emulated_multiprocessors(2);
    return first;
  }

private:
  const Problem problem;
  const SweepPlan plan;
  std::vector<int64_t> extents;
  ReferenceInputs inputs;
};

void expect_same_bits(const std::string &problem, const std::vector<std::string> &mappings) {
  const Subject subject(problem);
  const std::string neutral = subject.bits("");
  for (const std::string &mapping : mappings)
    EXPECT_TRUE(neutral == subject.bits(mapping)) << problem << " / " << mapping << ": bits differ from the default's";
}

TEST(Grid, ResidentBlocksGoFromRowToRow) {
  expect_same_bits("layer_norm rows=13 cols=96 x=f32", {"grid=resident", "grid=resident keep=shared", "grid=resident rows=1 keep=reread"});
  expect_same_bits("rms_norm rows=11 cols=520 x=bf16 gamma=f32 outputs=y",
                   {"grid=resident threads=64 rows=1 vector=4 blocks=2 keep=reread", "grid=resident threads=64 rows=2 vector=8 blocks=2"});
  expect_same_bits("softmax rows=29 cols=7 x=f16", {"grid=resident threads=1 rows=8", "grid=resident threads=4 rows=4 blocks=2"});
  expect_same_bits("batch_norm_train batch=5 channel=7 space=12 x=f32", {"grid=resident rows=2", "grid=resident threads=2 blocks=2"});
}

TEST(Grid, RowsAreCopiedAhead) {
  expect_same_bits("layer_norm rows=13 cols=96 x=f32", {"grid=resident stages=2 blocks=1", "grid=resident stages=3 keep=reread",
                                                        "grid=resident stages=4 keep=shared rows=1 vector=8"});
  expect_same_bits("rms_norm rows=11 cols=523 x=bf16 gamma=f32", {"grid=resident stages=2 threads=64 rows=1 vector=4 keep=reread blocks=1",
                                                                  "grid=resident stages=3 threads=64 rows=2 vector=8 blocks=2"});
  expect_same_bits("add_rms_norm rows=9 cols=72 x=f16 residual=f32",
                   {"grid=resident stages=2 blocks=1", "grid=resident stages=4 blocks=1 keep=reread"});
  expect_same_bits("softmax rows=29 cols=40 x=f16", {"grid=resident stages=2 threads=4 rows=4 vector=4 blocks=2"});
}

TEST(Grid, RowsAreCopiedAheadInBulk) {
  expect_same_bits("layer_norm rows=13 cols=96 x=f32",
                   {"grid=resident stages=2 copy=bulk blocks=1", "grid=resident stages=3 copy=bulk keep=reread",
                    "grid=resident stages=4 copy=bulk keep=shared rows=1 vector=8"});
  expect_same_bits("rms_norm rows=11 cols=520 x=bf16 gamma=f32", // the last block of lanes is not full
                   {"grid=resident stages=2 copy=bulk threads=64 rows=1 vector=4 keep=reread blocks=1",
                    "grid=resident stages=3 copy=bulk threads=64 rows=2 vector=8 blocks=2"});
  expect_same_bits("add_rms_norm rows=9 cols=72 x=f16 residual=f32",
                   {"grid=resident stages=2 copy=bulk blocks=1", "grid=resident stages=4 copy=bulk blocks=1 keep=reread"});
  expect_same_bits("softmax rows=29 cols=40 x=f16", {"grid=resident stages=2 copy=bulk threads=4 rows=4 vector=4 blocks=2"});
  expect_same_bits("layer_norm rows=5 cols=30 x=f64", {"grid=resident stages=3 copy=bulk threads=4 rows=4 vector=16 blocks=2 keep=reread"});
  expect_same_bits("group_norm batch=4 group=3 sub=4 space=24 x=bf16 gamma=f32", {"grid=resident stages=2 copy=bulk keep=reread blocks=1"});
}

/// In the short run, each norm has one mix of dtypes and one schedule.
TEST(Grid, EveryNormIsServedInBulk) {
  const bool all = std::getenv("NORMFORGE_LONG") != nullptr;
  const Shape &round = shapes()[2];
  int served = 0;
  for (size_t number = 0; number < catalogue().size(); ++number)
    for (size_t mix = 0; mix < mixes().size(); ++mix) {
      if (!all && mix != number % mixes().size())
        continue;
      const NormRef &norm = catalogue()[number];
      const Subject subject(fixed(problem_of(norm, mixes()[mix]), round.of(*norm)));
      for (const std::string option : {"copy=bulk stages=2 blocks=1", "copy=bulk stages=3 blocks=1 keep=reread rows=1"})
        if (const std::string mapping = "grid=resident " + option; subject.refusal(mapping).empty()) {
          ++served;
          EXPECT_TRUE(subject.bits("") == subject.bits(mapping)) << norm->program.name << " " << mixes()[mix].label << " " << mapping;
          if (!all)
            break;
        }
    }
  EXPECT_GE(served, 10);
}

TEST(Grid, RowsOfAClusterAreCopiedInBulk) {
  expect_same_bits("rms_norm rows=5 cols=2056 x=bf16 gamma=f32 outputs=y",
                   {"threads=32 rows=1 cluster=2 vector=8 grid=resident stages=3 copy=bulk blocks=4",
                    "threads=32 rows=1 cluster=4 vector=4 grid=resident stages=2 copy=bulk blocks=1",
                    "threads=32 rows=1 cluster=16 vector=4 grid=resident stages=2 copy=bulk blocks=1"});
  expect_same_bits("softmax rows=4 cols=1500 x=f32", {"threads=32 rows=1 cluster=2 vector=16 grid=resident stages=2 copy=bulk blocks=1"});
}

TEST(Grid, BlocksOfAClusterShareARow) {
  expect_same_bits("layer_norm rows=3 cols=1000 x=f32",
                   {"threads=32 rows=1 cluster=2 vector=8 blocks=1", "threads=32 rows=1 cluster=4 vector=4 blocks=1",
                    "threads=64 rows=1 cluster=2 vector=4 keep=shared blocks=1",
                    "threads=32 rows=1 cluster=4 vector=4 blocks=1 keep=reread"});
  expect_same_bits("rms_norm rows=5 cols=2056 x=bf16 gamma=f32 outputs=y",
                   {"threads=32 rows=1 cluster=2 vector=4 keep=reread blocks=1",
                    "threads=32 rows=1 cluster=4 vector=4 grid=resident blocks=3",
                    "threads=32 rows=1 cluster=2 vector=8 grid=resident stages=3 blocks=4"});
  expect_same_bits("softmax rows=4 cols=1500 x=f32",
                   {"threads=32 rows=1 cluster=8 vector=4 blocks=1", "threads=32 rows=1 cluster=16 vector=4 blocks=1",
                    "threads=32 rows=1 cluster=2 vector=16 grid=resident stages=2 blocks=1 keep=shared"});
}

TEST(Grid, ClustersAreRefusedWhereThereAreNone) {
  const Subject subject("layer_norm rows=3 cols=2000 x=f32");
  EXPECT_EQ(subject.refusal("cluster=2 rows=1 blocks=1", "sm_89"),
            "schedule: cluster=2: sm_89 has no clusters of blocks, which sm_90 and later have; use cluster=1");
  EXPECT_EQ(subject.refusal("cluster=2 rows=2 blocks=1"), "schedule: cluster=2 rows=2: blocks that share a row have no other; use rows=1");
  EXPECT_EQ(subject.refusal("cluster=2 rows=1 threads=16 blocks=1"),
            "schedule: cluster=2 threads=16: a row's part of a block is whole warps; use 32 threads or more");
}

TEST(Grid, WhatCannotBeCopiedAheadIsRefused) {
  const Subject subject("rms_norm rows=11 cols=520 x=bf16");
  EXPECT_EQ(subject.refusal("stages=2"), "schedule: stages=2: a block of grid=whole has no next row; use grid=resident");
  EXPECT_EQ(subject.refusal("grid=resident stages=2 vector=2 threads=64 blocks=1"),
            "schedule: stages=2: no rows of fixed extents that are read in 4 bytes or more at once; use stages=1");
  EXPECT_EQ(
      Subject("rms_norm rows=2 cols=32768 x=f32").refusal("grid=resident stages=2 threads=512 keep=reread"),
      "schedule: stages=2 rows=1: the rows that are copied ahead take 393216 bytes of shared memory, of which a block has 232192; use "
      "fewer of either");
}

TEST(Grid, WhatCannotBeCopiedInBulkIsRefused) {
  const Subject subject("rms_norm rows=11 cols=520 x=bf16");
  EXPECT_EQ(subject.refusal("copy=bulk"),
            "schedule: copy=bulk: stages=1 copies no rows; use stages=2 or more with grid=resident, or copy=async");
  EXPECT_EQ(subject.refusal("grid=resident stages=2 copy=bulk blocks=1"), "");
  EXPECT_EQ(subject.refusal("grid=resident stages=2 copy=bulk blocks=1", "sm_89"),
            "schedule: copy=bulk: sm_89 has no bulk copies, which sm_90 and later have; use copy=async");
  EXPECT_EQ(Subject("rms_norm rows=11 cols=516 x=bf16").refusal("grid=resident stages=2 copy=bulk vector=8 blocks=1"),
            "schedule: copy=bulk: a row of x has 1032 bytes, no multiple of 16; use copy=async");
}

} // namespace
} // namespace normforge::testing
