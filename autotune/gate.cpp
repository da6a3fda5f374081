#include "autotune/gate.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "autotune/shapes.h"
#include "codegen/check/kernel_call.h"
#include "codegen/check/tolerance.h"
#include "dsl/error.h"

namespace normforge {
namespace {

/// One call that every kernel is put through. Extents that are open get these, within their ranges.
struct Case {
  const char *name;
  int64_t kept, reduced;
  double mean;
  bool non_finite; ///< an infinity and a NaN among the first input's values
  CallOptions options;
};
constexpr int64_t kPadding = 3; ///< elements between rows, where they need not be packed
const Case kCases[] = {
    {"odd extents", 7, 33, 0.5, false, {.side = Guarded::at_start}},
    {"misaligned rows, work in pieces", 5, 1031, 0.5, false, {.padding = kPadding, .pieces = 3}},
    {"large offset", 3, 130, 1e4, false, {}},
    {"non-finite values", 4, 129, 0.5, true, {}},
    {"one row", 1, 65, 0.5, false, {}},
};
constexpr int64_t kMostPoints = 1 << 20; ///< of an evaluation of the reference

int64_t points(const std::vector<int64_t> &extents) {
  double n = 1;
  for (int64_t extent : extents)
    n *= double(extent);
  return int64_t(std::min(n, 1e18));
}

std::vector<int64_t> case_extents(const Problem &problem, int64_t kept, int64_t reduced) {
  const AxisSet kept_set = kept_axes(problem.norm->program);
  std::vector<int64_t> extents;
  for (size_t axis = 0; axis < problem.extents.size(); ++axis) {
    const Extent &extent = problem.extents[axis];
    const int64_t wanted = kept_set & axis_bit(int(axis)) ? kept : reduced;
    extents.push_back(std::clamp(wanted, std::max<int64_t>(extent.lo, 1), std::max<int64_t>(extent.hi, 1)));
  }
  return extents;
}

/// A case with its inputs and what the reference makes of them.
struct Prepared {
  const Case *from;
  std::vector<int64_t> extents;
  ReferenceInputs inputs;
  std::map<std::string, ReferenceArray> expected;
};

void spoil(const Problem &problem, ReferenceInputs &inputs) {
  std::vector<double> &values = inputs.tensors.at(problem.norm->program.tensors.front().name).values;
  values.front() = std::numeric_limits<double>::infinity();
  if (values.size() > 2)
    values[values.size() / 2] = std::numeric_limits<double>::quiet_NaN();
}

std::vector<Prepared> prepare(const Problem &problem) {
  std::vector<Prepared> prepared;
  for (const Case &each : kCases) {
    Prepared made{&each, case_extents(problem, each.kept, each.reduced), {}, {}};
    // Where all extents are fixed the cases differ in values alone, and a large one is evaluated for two of them.
    if (points(made.extents) > kMostPoints / 8 && prepared.size() >= 2)
      continue;
    made.inputs = make_inputs(problem, made.extents, {.seed = uint64_t(&each - kCases) + 1, .mean = each.mean});
    if (each.non_finite)
      spoil(problem, made.inputs);
    try {
      made.expected = evaluate(problem, made.extents, made.inputs);
    } catch (const UserError &) { // extents that the norm requires otherwise: the runtime refuses such a call
      continue;
    }
    prepared.push_back(std::move(made));
  }
  return prepared;
}

/// What one kernel made of one case.
struct Result {
  std::string wrong; ///< beside its results
  double deviation = 0;
  std::string worst; ///< "y[17] is 0.5, the reference 0.25"
  std::string bits;
};

Result try_case(const Machine &machine, const Problem &problem, const Prepared &given, const Kernel &kernel) {
  KernelCall call(problem, given.extents, given.inputs, given.from->options);
  Result result;
  result.wrong = machine.run(call, kernel);
  result.bits = call.output_bits();
  for (const auto &[name, want] : given.expected) {
    const int tensor = problem.norm->program.tensor_named(name);
    if (!present(problem, tensor))
      continue;
    const DType dtype = *problem.dtypes[size_t(tensor)];
    const Tolerance allowed = tolerance(problem, dtype);
    for (size_t i = 0; i < want.values.size(); ++i) {
      const double got = call.value(name, i);
      const bool unwritten = dtype == DType::i8 && std::isnan(want.values[i]) && got == -1; // what fills a buffer before a call
      const double deviation = unwritten ? 0 : allowed.deviation(got, want.values[i]);
      if (!(deviation <= result.deviation)) {
        result.deviation = deviation;
        result.worst = name + "[" + std::to_string(i) + "] is " + number_text(got) + ", the reference " + number_text(want.values[i]);
      }
    }
  }
  return result;
}

/// Judges entrants one by one, against the default's results.
class Judge {
public:
  Judge(const Machine &machine, const Problem &problem, std::vector<Prepared> cases)
      : machine(machine), problem(problem), cases(std::move(cases)) {}

  void set_default(const Kernel &kernel) { by_default = results(kernel); }

  Verdict judge(const Entrant &entrant, bool is_default) const {
    const std::vector<Result> mine = is_default ? by_default : results(*entrant.kernel);
    Verdict verdict;
    for (size_t c = 0; c < cases.size(); ++c) {
      // On values that are hard for their dtype a kernel need not beat the default.
      const bool hard = cases[c].from->non_finite || cases[c].from->mean > 1;
      const double allowed = hard ? std::max(1.0, 2 * by_default[c].deviation) : 1;
      const std::string where = std::string("gate: ") + cases[c].from->name + ": ";
      if (!mine[c].wrong.empty())
        return {where + mine[c].wrong, mine[c].deviation};
      if (!(mine[c].deviation <= allowed))
        return {where + mine[c].worst, mine[c].deviation};
      if (entrant.same_bits && mine[c].bits != by_default[c].bits)
        return {where + "its bits are not those of the default", mine[c].deviation};
      if (!hard)
        verdict.deviation = std::max(verdict.deviation, mine[c].deviation);
    }
    return verdict;
  }

private:
  std::vector<Result> results(const Kernel &kernel) const {
    std::vector<Result> list;
    for (const Prepared &each : cases)
      list.push_back(try_case(machine, problem, each, kernel));
    return list;
  }

  const Machine &machine;
  const Problem &problem;
  std::vector<Prepared> cases;
  std::vector<Result> by_default;
};

} // namespace

Problem gate_problem(const Problem &problem) {
  Problem small = problem;
  if (points(case_extents(problem, 1, 1)) > kMostPoints)
    for (size_t axis = 0; axis < small.extents.size(); ++axis)
      if (kept_axes(problem.norm->program) & axis_bit(int(axis)))
        small.extents[axis].lo = 1;
  return small;
}

std::vector<Verdict> pass_gate(const Problem &problem, std::span<const Entrant> entrants, double limit_seconds,
                               const std::function<bool()> &stop, const Machine &machine) {
  Judge judge(machine, problem, prepare(problem));
  std::vector<Verdict> verdicts;
  while (verdicts.size() < entrants.size()) { // a child for those that are left; a new one after each that ends it
    const size_t first = verdicts.size();
    const auto work = [&](const Send &send) {
      judge.set_default(*entrants[0].kernel);
      for (size_t i = first; i < entrants.size(); ++i) {
        const Verdict verdict = judge.judge(entrants[i], i == 0);
        send(number_text(verdict.deviation) + " " + verdict.rejected);
      }
    };
    const auto receive = [&](std::string_view text) {
      Verdict verdict;
      const char *end = std::from_chars(text.data(), text.data() + text.size(), verdict.deviation).ptr;
      verdict.rejected = std::string(end + 1, text.data() + text.size());
      verdicts.push_back(std::move(verdict));
    };
    const Ending ending = run_contained(work, receive, limit_seconds, stop);
    if (ending.kind == Ending::stopped)
      return verdicts;
    if (ending.kind == Ending::finished)
      continue;
    verdicts.push_back({ending.text(), 0});
    if (verdicts.size() == 1) { // there is nothing to compare with
      verdicts.resize(entrants.size(), {"gate: the default schedule is rejected: " + ending.text(), 0});
    }
  }
  return verdicts;
}

} // namespace normforge
