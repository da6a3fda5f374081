#include "autotune/search.h"

#include <algorithm>

#include "autotune/bands.h"
#include "autotune/clock.h"
#include "autotune/machine.h"
#include "autotune/problem_search.h"
#include "autotune/settled_numerics.h"
#include "autotune/space.h"
#include "codegen/hash.h"
#include "codegen/package/selection.h"
#include "codegen/toolchain.h"
#include "dsl/error.h"

namespace normforge {
namespace {

constexpr double kForever = 1e9;
constexpr EffortPlan kPlans[] = {
    {0, 0, 0, 0, 0, 0}, {10, 24, 1, 8, 9, 31}, {60, 48, 2, 16, 15, 61}, {kForever, 1, 0, 0, 15, 61}}; // by Effort

} // namespace

const EffortPlan &plan_of(Effort effort) { return kPlans[size_t(effort)]; }

Question question_for(const Problem &problem, const Target &target, const Backend &backend, int threads, const std::string &device) {
  const SweepPlan plan = make_sweep_plan(problem);
  return {problem, std::string(target.name), toolchain(), device, to_text(space_of(plan, target, backend, false).start, backend.knobs()),
          threads};
}

std::vector<LockEntry> lock_entries(const Answer &answer, const Question &question) {
  const std::string half = to_text(pinned_numerics(question.problem, find_target(question.target)));
  std::vector<LockEntry> entries;
  for (const Band &band : answer.bands)
    entries.push_back({to_text(band.problem), question.target, band.schedule, hash_text(question.problem.norm->hash), question.compiler,
                       question.device, band.gain, numerics_half(band.schedule) != half});
  return entries;
}

std::vector<SearchResult> search(std::span<const Problem> problems, const SearchOptions &options, const ShowProgress &progress,
                                 const std::function<void(const SearchResult &)> &done, const std::function<bool()> &stop) {
  // What is not measured may be for any CPU, by the caches of this one.
  const Machine &machine = options.effort == Effort::estimate && !options.target->gpu() ? this_cpu() : machine_for(*options.target);
  Database known;
  if (options.effort != Effort::estimate) {
    known = read_database(options.database, options.warn);
    append_records(options.database, {}); // a file that cannot be written is found out before time is spent
  }
  const double begin = now();
  std::vector<SearchResult> results;
  SettledNumerics settled;
  const std::string device = fingerprint(machine.device());
  for (size_t i = 0; i < problems.size(); ++i) {
    if (stop && stop())
      break;
    const double left = options.budget_seconds > 0 ? begin + options.budget_seconds - now() : 0;
    const double share = kPlans[size_t(options.effort)].seconds;
    const double problem_begin = now();
    const double seconds = options.budget_seconds > 0 ? std::max(0.0, left / double(problems.size() - i)) : share;
    Progress state;
    state.problem = int(i) + 1;
    state.problems = int(problems.size());
    const ShowProgress show = [&](const Progress &at) {
      if (!progress)
        return;
      Progress told = at;
      told.seconds_left = options.budget_seconds > 0 ? begin + options.budget_seconds - now()
                          : share < kForever         ? problem_begin + share * double(problems.size() - i) - now()
                                                     : -1;
      progress(told);
    };
    Question question = question_for(problems[i], *options.target, *options.backend, options.threads, device);
    question.numerics = options.numerics;
    settled.apply(question);
    results.push_back(search_problem(question, options, machine, known, seconds, std::move(state), show, stop));
    if (results.back().complete)
      settled.learn(question, results.back().answer);
    if (done)
      done(results.back());
  }
  return results;
}

} // namespace normforge
