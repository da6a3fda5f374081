// Would the tests notice? From each kernel, each shuffle and barrier that its threads meet at, each copy to shared memory with its fill of
// zeros, and each wait for copies is left out in turn. Such a mutant is caught when the emulator stops it, or an output's bits change. It
// is shown equivalent where what is missing
// - is a barrier and, without it, every two accesses of the same memory are still ordered: the accesses of a kernel depend on extents and
//   alignment alone, so no order of threads can then change a bit; or
// - is a shuffle that gives each thread the word that it has: the lanes are empty at these extents, or the word is a maximum that all have
//   found, whose zero may have another sign, which on rows of zeros of both signs changes no output; or
// - is a group of copies or a wait for some, and there are none: rows that are not aligned for copies are read instead; or
// - is a fill with zeros, and NaNs in their place change no output: what is there is not used.
// All others have escaped, and at most one in twenty may.
//
// The short run has few norms. The long run has each norm at three extents, in mixes of dtypes that differ, by schedules in which each
// value of each knob stands that serves it.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <map>

#include <gtest/gtest.h>

#include "codegen/check/kernel_call.h"
#include "codegen/emulator.h"
#include "dsl/error.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/schedules.h"

namespace normforge::testing {
namespace {

const bool kLong = std::getenv("NORMFORGE_LONG") != nullptr;
constexpr uint64_t kOrders[] = {0, 1, 17};
constexpr double kLeastCaught = 0.95;
/// What a barrier orders, the emulator sees; the two halves of a cluster's barrier are one.
constexpr std::string_view kBarriers[] = {"warp barrier", "barrier", "cluster arrival", "cluster wait"};
constexpr size_t kMostPoints = 250; ///< of a kernel in the short run

/// A shuffle that has given each thread its own word, a group of no copies, a wait for none.
bool is_idle(const MeetingPoint &point) {
  return !point.moved && (point.kind == "shuffle" || point.kind == "group of copies" || point.kind == "wait for copies");
}

/// What came of leaving out meetings of a kind.
struct Count {
  int stopped = 0, changed = 0; ///< caught by the emulator, by an output's bits
  int equivalent = 0, escaped = 0;
  int unreached = 0; ///< in code for other alignments or extents than those tried
  int caught() const { return stopped + changed; }
  Count &operator+=(const Count &other) {
    stopped += other.stopped, changed += other.changed, equivalent += other.equivalent, escaped += other.escaped,
        unreached += other.unreached;
    return *this;
  }
};

struct Tally {
  std::map<std::string, Count> kinds;
  std::vector<std::string> escaped;
  Count all() const {
    Count sum;
    for (const auto &[kind, count] : kinds)
      sum += count;
    return sum;
  }
};

void report(const Tally &tally) {
  const auto line = [](const std::string &kind, const Count &count) {
    std::cout << std::left << std::setw(16) << kind << std::right;
    for (int number : {count.stopped, count.changed, count.equivalent, count.escaped, count.unreached})
      std::cout << std::setw(12) << number;
    std::cout << "\n";
  };
  std::cout << "left out             stopped  other bits  equivalent     escaped   unreached\n";
  for (const auto &[kind, count] : tally.kinds)
    line(kind, count);
  const Count all = tally.all();
  line("all", all);
  const int meant = all.caught() + all.escaped;
  std::cout << "caught: " << all.caught() << " of " << meant << " that are not shown equivalent, "
            << 100.0 * all.caught() / double(std::max(meant, 1)) << " %\n";
  for (const std::string &escaped : tally.escaped)
    std::cout << "  " << escaped << "\n";
}

/// Each row's largest element stands at another place, so that each lane has it in some row; a maximum then shows which lanes it heard of.
/// `first`: rows that other calls have had.
void add_peaks(ReferenceArray &x, DType dtype, int lanes, size_t first) {
  constexpr double kGolden = 0.6180339887498949, kPeak = 8;
  const auto run = size_t(x.extents.back());
  for (size_t row = 0; (row + 1) * run <= x.values.size(); ++row) {
    const double part = double(first + row) * kGolden;
    double &value = x.values[row * run + size_t((part - std::floor(part)) * double(std::min(run, size_t(lanes))))];
    value = round_to(dtype, value + kPeak);
  }
}

bool has_extrema(const Norm &norm) {
  return std::ranges::any_of(norm.program.nodes, [](const Node &node) { return node.op == Op::max || node.op == Op::min; });
}

/// Two of three ragged rows are whole, so that each lane counts in some; three, since the alignments of rows have periods of powers of two.
void fill_rows(const Problem &problem, const std::vector<int64_t> &extents, ReferenceInputs &inputs) {
  const Program &program = problem.norm->program;
  for (size_t axis = 0; axis < program.axes.size(); ++axis)
    if (const int length = program.axes[axis].length; length >= 0) {
      std::vector<double> &lengths = inputs.tensors.at(program.tensors[size_t(length)].name).values;
      for (size_t row = 0; row < lengths.size(); ++row)
        if (row % 3 != 2)
          lengths[row] = double(extents[axis]);
    }
}

/// A kernel with the calls that it is tried on: aligned and not, apart and with an output in the memory of an input, and on zeros.
class Subject {
public:
  /// `all_extents`: of one call or, of a problem whose extents are open, several.
  Subject(const Problem &problem, const std::vector<std::vector<int64_t>> &all_extents, const Schedule &schedule)
      : problem(problem), shared(in_place(problem)),
        kernel(compile_for_emulator(make_sweep_plan(problem), schedule, find_target("sm_90"), "kernel")) {
    const std::string x = problem.norm->program.tensors.front().name;
    const auto with_peaks = [&](const std::vector<int64_t> &extents, size_t first) {
      ReferenceInputs inputs = make_inputs(fixed(problem, extents), extents, {.seed = 7, .mean = 0.5});
      fill_rows(problem, extents, inputs);
      add_peaks(inputs.tensors.at(x), *problem.dtypes.front(), schedule.numerics.lanes, first);
      return inputs;
    };
    for (const std::vector<int64_t> &extents : all_extents)
      if (const auto rows = size_t(extents.front()); kLong && has_extrema(*problem.norm)) { // twice the lanes, of which some fall together
        const auto lanes = size_t(std::min<int64_t>(extents.back(), schedule.numerics.lanes));
        for (size_t first = rows; first < 2 * lanes; first += rows)
          calls.push_back({extents, with_peaks(extents, first), false, 0});
      }
    const size_t peaked = calls.size();
    for (const std::vector<int64_t> &extents : all_extents)
      for (const bool in_place : {false, true})
        for (int64_t offset : {0, 1})
          calls.push_back({extents, with_peaks(extents, 0), in_place, offset});
    numbers = calls.size();
    for (size_t call = peaked; call < numbers; ++call)
      if (!calls[call].in_place) {
        calls.push_back(calls[call]);
        for (size_t i = 0; double &value : calls.back().inputs.tensors.at(x).values)
          value = std::popcount(i++) % 2 ? 0.0 : -0.0;
      }
  }

  void try_all(Tally &tally, const std::string &name) const {
    take_meeting_points();
    std::vector<std::string> right;
    std::vector<MeetingPoint> points;
    for (const Call &call : calls) {
      if (right.size() == numbers)
        points = take_meeting_points();
      const auto [fault, bits] = run(call, 0);
      ASSERT_EQ(fault, "") << name;
      right.push_back(bits);
    }
    if (!kLong && points.size() > kMostPoints)
      return;
    for (const MeetingPoint &point : points)
      if (point.reached)
        judge(point, right, tally, name);
      else
        ++tally.kinds[point.kind].unreached;
    take_meeting_points();
  }

private:
  struct Call {
    std::vector<int64_t> extents;
    ReferenceInputs inputs;
    bool in_place;
    int64_t offset;
  };

  std::pair<std::string, std::string> run(const Call &call, uint64_t order) const {
    set_emulated_order(order);
    KernelCall made(call.in_place ? shared : problem, call.extents, call.inputs, {.side = Guarded::at_start, .offset = call.offset});
    made.run(kernel, loaded);
    return {take_emulator_fault(), made.output_bits()};
  }

  /// What becomes of the calls without that point.
  enum Outcome { same, stopped, changed };
  Outcome outcome(const MeetingPoint &point, const std::vector<std::string> &right) const {
    leave_out(point);
    Outcome found = same;
    for (size_t call = is_idle(point) ? numbers : 0; call < calls.size() && found == same; ++call)
      for (uint64_t order : kOrders) {
        const auto [fault, bits] = run(calls[call], order);
        found = !fault.empty() ? stopped : bits != right[call] ? changed : same;
        if (found != same || point.kind == "shuffle") // what a shuffle gives does not depend on the order
          break;
      }
    leave_out(std::nullopt);
    return found;
  }

  void judge(MeetingPoint point, const std::vector<std::string> &right, Tally &tally, const std::string &name) const {
    Count &count = tally.kinds[point.kind];
    if (const Outcome found = outcome(point, right); found != same)
      return void(++(found == stopped ? count.stopped : count.changed));
    point.poisons = true;
    const bool orders = std::ranges::find(kBarriers, point.kind) != std::end(kBarriers);
    if (orders || (point.kind == "zero fill" ? outcome(point, right) == same : is_idle(point)))
      return void(++count.equivalent);
    ++count.escaped;
    tally.escaped.push_back(name + ": " + point.kernel + " " + point.kind + " " + std::to_string(point.number));
  }

  const Problem problem, shared;
  const Kernel kernel;
  const LoadedKernel loaded{kernel};
  std::vector<Call> calls; ///< the first `numbers` on any numbers, the others on zeros
  size_t numbers;
};

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
  Subject(problem, extents, schedule).try_all(tally, to_text(problem) + " / " + to_text(schedule, cuda.knobs()));
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

/// In the short run, one norm in six at one shape in one mix.
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

/// Norms by their number in the catalogue; what comes of all of them together is judged.
class CatalogueMutation : public ::testing::TestWithParam<size_t> {
protected:
  static inline Tally tally;

  static void SetUpTestSuite() { set_emulated_multiprocessors(1); } // each block has several rows
  static void TearDownTestSuite() {
    set_emulated_multiprocessors(2);
    report(tally);
    const Count all = tally.all();
    EXPECT_GE(all.caught(), kLeastCaught * (all.caught() + all.escaped));
  }
};

TEST_P(CatalogueMutation, MeetingsThatAreLeftOutAreMissed) {
  kLong ? try_many(GetParam(), tally) : try_few(GetParam(), tally);
  if (kLong)
    report(tally); // so far
}

INSTANTIATE_TEST_SUITE_P(Catalogue, CatalogueMutation, ::testing::Range(size_t(1), catalogue().size() + 1, size_t(kLong ? 1 : 6)),
                         [](const auto &info) { return catalogue()[info.param - 1]->program.name; });

/// One multiprocessor, so that each block has several rows.
Tally try_mappings(const std::vector<const char *> &mappings) {
  const Backend &cuda = backend_for(find_target("sm_90"));
  Tally tally;
  set_emulated_multiprocessors(1);
  for (const char *mapping : mappings) {
    const Problem problem = parse_problem("layer_norm rows=7 cols=264 x=f32");
    const Schedule schedule = parse_schedule(mapping, cuda.knobs(), cuda.default_schedule(make_sweep_plan(problem), find_target("sm_90")));
    Subject(problem, {{7, 264}}, schedule).try_all(tally, mapping);
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
  EXPECT_GT(tally.all().stopped, 20);
  EXPECT_TRUE(tally.escaped.empty());
}

/// Where warps that are no power of two meet.
TEST(Mutation, MeetingsOfAnyNumberOfWarpsAreMissed) {
  const Tally tally = try_mappings({"lanes=512 chunk=512 threads=96 rows=1 vector=4 blocks=1 keep=reread",
                                    "lanes=512 chunk=512 fold=high threads=96 rows=2 vector=4 blocks=1 keep=reread",
                                    "lanes=512 chunk=512 threads=160 rows=1 vector=8 blocks=1 grid=resident stages=2 copy=bulk"});
  EXPECT_GT(tally.all().stopped, 5);
  EXPECT_TRUE(tally.escaped.empty());
}

/// Each mbarrier, expectation, arrival, wait and fence of rows that come in bulk, and the barriers that let a stage be filled again.
TEST(Mutation, WhatBulkCopiesGoByIsMissed) {
  const Tally tally = try_mappings({"grid=resident stages=2 copy=bulk blocks=1 rows=1",
                                    "grid=resident stages=3 copy=bulk blocks=1 keep=reread threads=32 rows=2 vector=8",
                                    "grid=resident stages=2 copy=bulk blocks=1 keep=reread threads=64 rows=1 vector=8",
                                    "grid=resident stages=2 copy=bulk cluster=2 rows=1 blocks=1 threads=32 vector=8 keep=reread"});
  EXPECT_GT(tally.all().stopped, 40);
  EXPECT_TRUE(tally.escaped.empty());
}

/// Where the sign of a zero that is the largest shows, all threads must have the same.
TEST(Mutation, ABroadcastIsMissedWhereItMatters) {
  const NormRef norm = parse_norms("norm peak(x[rows..., cols...]) -> y[rows..., cols...] { y = x + 1 / max(x, cols) }\n", "test").front();
  Tally tally;
  try_two(norm, shapes()[4], mixes().front(), 1, tally); // lanes that are full: an empty one may be left out
  report(tally);
  EXPECT_GT(tally.all().caught(), 0);
  EXPECT_TRUE(tally.escaped.empty());
}

} // namespace
} // namespace normforge::testing
