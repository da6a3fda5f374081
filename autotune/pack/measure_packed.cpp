#include "autotune/pack/measure_packed.h"

#include <algorithm>

#include "autotune/device.h"
#include "autotune/gate.h"
#include "dsl/error.h"

namespace normforge {
namespace {

constexpr double kLimitSeconds = 10; ///< after which a silent kernel counts as hung

/// Rejects the trials that do not pass.
void gate(const PackedProblem &packed, std::vector<Trial> &trials) {
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
  const std::vector<Verdict> verdicts = pass_gate(small, entrants, kLimitSeconds, nullptr);
  for (size_t i = 0; i < verdicts.size(); ++i) {
    trials[of[i]].rejected = verdicts[i].rejected;
    trials[of[i]].deviation = verdicts[i].deviation;
  }
}

} // namespace

void check_runs_here(const PackedProblem &packed) {
  const std::string again = "; make one with 'normforge tune PROBLEMS --target " + std::string(host_target().name) + " --pack DIR'";
  if (packed.backend != host_target().backend)
    throw UserError("the pack is for " + packed.target + ", and this runner measures on CPUs" + again);
  if (!runs_here(find_target(packed.target)))
    throw UserError("the pack is for " + packed.target + ", and this machine runs " + std::string(host_target().name) + " at most" + again);
}

PackedResult measure_packed(const PackedProblem &packed, const std::string &path, const Trials::Tell &tell) {
  check_runs_here(packed);
  std::vector<Trial> trials;
  for (const PackedCandidate &candidate : packed.candidates)
    trials.push_back({candidate.kernel.schedule, candidate.kernel, candidate.same_bits, candidate.deviation, ""});
  const Question question{packed.problem, packed.target, packed.compiler, fingerprint(this_device()), trials.front().schedule, "",
                          packed.threads};
  const TrialOptions options{.search_rounds = packed.search_rounds,
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
    gate(packed, trials);
    Trials(question, find_target(packed.target), trials, options, known).run(tell);
  }
  result.rejected = int(std::ranges::count_if(trials, [](const Trial &trial) { return !trial.rejected.empty(); }));
  result.timed = int(trials.size()) - result.rejected;
  return result;
}

} // namespace normforge
