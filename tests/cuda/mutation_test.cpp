// Of the mutants of kernels (mutants.h) at most one in twenty may escape.
//
// The short run has few norms. The long run has each norm at three extents, in mixes of dtypes that differ, by schedules in which
// each value of each knob stands that serves it.
#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include "codegen/emulator.h"
#include "codegen/nest/nest_shape.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/schedules.h"
#include "tests/cuda/mutants.h"

namespace normforge::testing {
namespace {

const bool kLong = std::getenv("NORMFORGE_LONG") != nullptr;
constexpr double kLeastCaught = 0.95;

/// The norm's reductions of maxima are tried on many rows.
std::vector<int64_t> extents_for(const Norm &norm, const Shape &shape) {
  std::vector<int64_t> extents = shape.of(norm);
  if (kLong && norm.program.axes.front().name == "rows")
    extents.front() = 11; // more than are copied ahead
  if (has_extrema(norm))
    extents.front() = 40;
  return extents;
}

void try_kernel(const Problem &problem, const std::vector<std::vector<int64_t>> &extents, const Schedule &schedule, Tally &tally) {
  const Backend &cuda = backend_for(find_target("sm_90"));
  try_mutants(problem, extents, schedule, to_text(problem) + " / " + to_text(schedule, cuda.knobs()), tally);
}

/// The default and one with rows of several warps.
void try_two(const NormRef &norm, const Shape &shape, const Mix &mix, uint64_t seed, Tally &tally) {
  const Target &gpu = find_target("sm_90");
  const std::vector<int64_t> extents = extents_for(*norm, shape);
  const Problem problem = fixed(problem_of(norm, mix), extents);
  const std::vector<Schedule> drawn = sample_schedules(backend_for(gpu), make_sweep_plan(problem), gpu, 40, seed);
  try_kernel(problem, {extents}, drawn.front(), tally);
  const auto of_warps = std::find_if(drawn.begin() + 1, drawn.end(), [](const Schedule &each) { return each.mapping.values.front() > 32; });
  if (of_warps != drawn.end())
    try_kernel(problem, {extents}, *of_warps, tally);
}

/// In the short run, at one shape in one mix.
void try_few(size_t number, Tally &tally) {
  const bool first = number % 12 == 1;
  try_two(catalogue()[number - 1], shapes()[first ? 4 : 2], mixes()[first ? 0 : 1], number, tally);
}

/// A persistent grid of few blocks, so that each goes on to several rows.
Schedule with_one_block(const SweepPlan &plan, const Schedule &schedule) {
  const Target &gpu = find_target("sm_90");
  const Backend &cuda = backend_for(gpu);
  const Schedule one = parse_schedule("blocks=1", cuda.knobs(), schedule);
  return to_text(schedule, cuda.knobs()).find("grid=resident") != std::string::npos && !cuda.inapplicable(plan, one, gpu) ? one : schedule;
}

void try_many(size_t number, Tally &tally) {
  const Target &gpu = find_target("sm_90");
  const Backend &cuda = backend_for(gpu);
  const NormRef &norm = catalogue()[number - 1];
  std::vector<std::vector<int64_t>> all_extents;
  for (const size_t shape : {0, 2, 4})
    all_extents.push_back(extents_for(*norm, shapes()[shape]));
  Coverage values(cuda, 1);
  const auto draw = [&](const Problem &problem, const std::vector<std::vector<int64_t>> &extents, uint64_t seed) {
    constexpr size_t kMost = 6;
    const SweepPlan plan = make_sweep_plan(problem);
    for (const Schedule &schedule : values.draw(plan, gpu, kMost, seed))
      try_kernel(problem, extents, with_one_block(plan, schedule), tally);
  };
  for (size_t turn = 0; turn < all_extents.size(); ++turn) {
    Mix mix = mixes()[(number + turn) % mixes().size()];
    mix.outputs = mix.first == DType::f64 ? DType::f64 : DType::f32; // a narrow one hides what a sum lacks
    const Problem open = problem_of(norm, mix);
    draw(fixed(open, all_extents[turn]), {all_extents[turn]}, turn);
    draw(open, {all_extents[0], all_extents[1]}, turn);
  }
}

/// Numbers in the catalogue, from 1, of norms whose threads meet, since they reduce along rows; in the short run, one in six.
std::vector<size_t> numbers() {
  std::vector<size_t> all;
  for (size_t number = 1; number <= catalogue().size(); ++number)
    if (const SweepPlan plan = make_sweep_plan(default_problem(catalogue()[number - 1]));
        (kLong || number % 6 == 1) &&
        std::ranges::any_of(plan.nests, [](const Nest &nest) { return nest.reduced && !nest::is_outer(nest); }))
      all.push_back(number);
  return all;
}

/// What comes of all norms together is judged.
class CatalogueMutation : public ::testing::TestWithParam<size_t> {
protected:
  static inline Tally all;

  static void SetUpTestSuite() { set_emulated_multiprocessors(1); } // each block has several rows
  static void TearDownTestSuite() {
    set_emulated_multiprocessors(2);
    report(all);
    EXPECT_GE(all.sum().caught(), kLeastCaught * (all.sum().caught() + all.sum().escaped));
  }
};

TEST_P(CatalogueMutation, MeetingsThatAreLeftOutAreMissed) {
  const int before = all.sum().caught();
  kLong ? try_many(GetParam(), all) : try_few(GetParam(), all);
  EXPECT_GT(all.sum().caught(), before);
  if (kLong)
    report(all); // so far
}

INSTANTIATE_TEST_SUITE_P(Catalogue, CatalogueMutation, ::testing::ValuesIn(numbers()),
                         [](const auto &info) { return catalogue()[info.param - 1]->program.name; });

/// One multiprocessor, so that each block has several rows.
Tally try_mappings(const std::vector<const char *> &mappings) {
  const Backend &cuda = backend_for(find_target("sm_90"));
  Tally tally;
  set_emulated_multiprocessors(1);
  for (const char *mapping : mappings) {
    const Problem problem = parse_problem("layer_norm rows=7 cols=264 x=f32");
    const Schedule schedule = parse_schedule(mapping, cuda.knobs(), cuda.default_schedule(make_sweep_plan(problem), find_target("sm_90")));
    try_mutants(problem, {{7, 264}}, schedule, mapping, tally);
  }
  set_emulated_multiprocessors(2);
  report(tally);
  return tally;
}

/// Rows that are copied ahead, several for each block, and rows that blocks share.
TEST(Mutation, WaitsForCopiesAndClustersAreMissed) {
  const Tally tally = try_mappings(
      {"grid=resident stages=2 blocks=1", "grid=resident stages=3 blocks=1 keep=reread threads=32 rows=2 vector=8",
       "cluster=2 rows=1 blocks=1 threads=32 vector=4", "cluster=2 grid=resident fold=high rows=1 blocks=1 threads=32 vector=4"});
  EXPECT_GT(tally.sum().stopped, 20);
  EXPECT_TRUE(tally.escaped.empty());
}

/// Where warps that are no power of two meet.
TEST(Mutation, MeetingsOfAnyNumberOfWarpsAreMissed) {
  const Tally tally = try_mappings({"lanes=512 chunk=512 threads=96 rows=1 vector=4 blocks=1 keep=reread",
                                    "lanes=512 chunk=512 fold=high threads=96 rows=2 vector=4 blocks=1 keep=reread",
                                    "lanes=512 chunk=512 threads=160 rows=1 vector=8 blocks=1 grid=resident stages=2 copy=bulk"});
  EXPECT_GT(tally.sum().stopped, 5);
  EXPECT_TRUE(tally.escaped.empty());
}

/// Each mbarrier, expectation, arrival, wait and fence of rows that come in bulk, and the barriers that let a stage be filled again.
TEST(Mutation, WhatBulkCopiesGoByIsMissed) {
  const Tally tally = try_mappings({"grid=resident stages=2 copy=bulk blocks=1 rows=1",
                                    "grid=resident stages=3 copy=bulk blocks=1 keep=reread threads=32 rows=2 vector=8",
                                    "grid=resident stages=2 copy=bulk blocks=1 keep=reread threads=64 rows=1 vector=8",
                                    "grid=resident stages=2 copy=bulk cluster=2 rows=1 blocks=1 threads=32 vector=8 keep=reread"});
  EXPECT_GT(tally.sum().stopped, 40);
  EXPECT_TRUE(tally.escaped.empty());
}

/// Where the sign of a zero that is the largest shows, all threads must have the same.
TEST(Mutation, ABroadcastIsMissedWhereItMatters) {
  const NormRef norm = parse_norms("norm peak(x[rows..., cols...]) -> y[rows..., cols...] { y = x + 1 / max(x, cols) }\n", "test").front();
  Tally tally;
  try_two(norm, shapes()[4], mixes().front(), 1, tally); // lanes that are full: an empty one may be left out
  report(tally);
  EXPECT_GT(tally.sum().caught(), 0);
  EXPECT_TRUE(tally.escaped.empty());
}

} // namespace
} // namespace normforge::testing
