#include "autotune/pack/measure_packed.h"

#include <algorithm>

#include "autotune/gate.h"
#include "dsl/error.h"

namespace normforge {
namespace {

constexpr double kLimitSeconds = 10; ///< after which a silent kernel counts as hung

/// Rejects the trials that do not pass.
void gate(const Machine &machine, const PackedProblem &packed, std::vector<Trial> &trials) {
  if (std::ranges::all_of(packed.candidates, &PackedCandidate::gated))
    return;
  const Problem small = gate_problem(packed.problem);
  const bool smaller = !(small == packed.problem);
  std::vector<Entrant> entrants;
  std::vector<size_t> of;
  for (size_t i = 0; i < trials.size(); ++i)
    if (packed.candidates[i].gate || !smaller) { // the others serve these extents alone: measure() compares their bits with the default's
      entrants.push_back({smaller ? &*packed.candidates[i].gate : &trials[i].kernel, trials[i].same_bits});
      of.push_back(i);
    }
  const std::vector<Verdict> verdicts = pass_gate(small, entrants, kLimitSeconds, nullptr, machine);
  for (size_t i = 0; i < verdicts.size(); ++i) {
    trials[of[i]].rejected = verdicts[i].rejected;
    trials[of[i]].deviation = verdicts[i].deviation;
  }
}

std::vector<Trial> trials_of(const PackedProblem &packed) {
  std::vector<Trial> trials;
  for (const PackedCandidate &candidate : packed.candidates)
    trials.push_back({candidate.kernel.schedule, candidate.kernel, candidate.same_bits, candidate.deviation, ""});
  return trials;
}

Question question_of(const Machine &machine, const PackedProblem &packed) {
  return {packed.problem, packed.target, packed.compiler, fingerprint(machine.device()), packed.candidates.front().kernel.schedule,
          packed.threads};
}

} // namespace

void check_runs_on(const Machine &machine, const PackedProblem &packed) {
  if (const std::string reason = machine.cannot_run(find_target(packed.target)); !reason.empty())
    throw UserError("the pack is for " + packed.target + ", and " + reason + "; make one with 'normforge tune PROBLEMS --target " +
                    machine.device().level + " --pack DIR'");
}

PackedResult measure_packed(const Machine &machine, const PackedProblem &packed, const std::string &path, const Trials::Tell &tell) {
  check_runs_on(machine, packed);
  std::vector<Trial> trials = trials_of(packed);
  const Question question = question_of(machine, packed);
  const TrialOptions options{.machine = &machine,
                             .search_rounds = packed.search_rounds,
                             .confirm_rounds = packed.confirm_rounds,
                             .seconds = packed.seconds,
                             .seed = packed.seed,
                             .pin = packed.pin,
                             .limit_seconds = kLimitSeconds,
                             .database = path};
  Database known = read_database(path, [](const std::string &) {});
  PackedResult result;
  result.known = Trials(question, find_target(packed.target), trials, options, known).complete();
  if (!result.known) {
    gate(machine, packed, trials);
    Trials(question, find_target(packed.target), trials, options, known).run(tell);
  }
  result.rejected = int(std::ranges::count_if(trials, [](const Trial &trial) { return !trial.rejected.empty(); }));
  result.timed = int(trials.size()) - result.rejected;
  return result;
}

std::vector<Band> choices(const Machine &machine, const PackedProblem &packed, Database &known) {
  std::vector<Trial> trials = trials_of(packed);
  const Question question = question_of(machine, packed);
  const TrialOptions options{.machine = &machine};
  const Trials all(question, find_target(packed.target), trials, options, known);
  if (!all.complete() || !trials.front().rejected.empty())
    return {};
  return choose(known, question).bands;
}

} // namespace normforge
