#include "tests/cuda/mutants.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <iomanip>
#include <iostream>

#include <gtest/gtest.h>

#include "codegen/check/kernel_call.h"
#include "codegen/emulator.h"
#include "codegen/loader.h"
#include "tests/conformance/cases.h"

namespace normforge::testing {
namespace {

const bool kLong = std::getenv("NORMFORGE_LONG") != nullptr;
constexpr uint64_t kOrders[] = {0, 1, 17};
/// What a barrier orders, the emulator sees; the two halves of a cluster's barrier are one.
constexpr std::string_view kBarriers[] = {"warp barrier", "barrier", "cluster arrival", "cluster wait"};
constexpr size_t kMostPoints = 250; ///< of a kernel in the short run

/// A shuffle that has given each thread its own word, a group of no copies, a wait for none.
bool is_idle(const MeetingPoint &point) {
  return !point.moved && (point.kind == "shuffle" || point.kind == "group of copies" || point.kind == "wait for copies");
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
      return void(++tally.large);
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

} // namespace

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
  const Count all = tally.sum();
  line("all", all);
  const int meant = all.caught() + all.escaped;
  std::cout << "caught: " << all.caught() << " of " << meant << " that are not shown equivalent, "
            << 100.0 * all.caught() / double(std::max(meant, 1)) << " %\n";
  if (tally.large)
    std::cout << "left to the long run: " << tally.large << " kernels of more than " << kMostPoints << " meetings\n";
  for (const std::string &escaped : tally.escaped)
    std::cout << "  " << escaped << "\n";
}

bool has_extrema(const Norm &norm) {
  return std::ranges::any_of(norm.program.nodes, [](const Node &node) { return node.op == Op::max || node.op == Op::min; });
}

void try_mutants(const Problem &problem, const std::vector<std::vector<int64_t>> &all_extents, const Schedule &schedule,
                 const std::string &name, Tally &tally) {
  Subject(problem, all_extents, schedule).try_all(tally, name);
}

} // namespace normforge::testing
