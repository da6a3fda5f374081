#include "autotune/pack/write.h"

#include <algorithm>
#include <filesystem>

#include "autotune/candidates.h"
#include "autotune/pack/packed_problem.h"
#include "autotune/pack/runner.h"
#include "codegen/package/files.h"
#include "codegen/toolchain.h"
#include "dsl/error.h"

namespace fs = std::filesystem;

namespace normforge {
namespace {

/// The default first, then what an effort reaches from it.
std::vector<Schedule> schedules_within_reach(const Space &space, Effort effort) {
  if (effort == Effort::exhaustive)
    return all_schedules(space);
  std::vector<Schedule> found{space.start};
  const auto step = [&](size_t end) {
    for (size_t i = 0; i < end; ++i)
      for (const Schedule &schedule : neighbours(space, found[i]))
        if (std::ranges::find(found, schedule) == found.end())
          found.push_back(schedule);
  };
  for (int steps = effort == Effort::patient ? 2 : 1; steps > 0; --steps)
    step(found.size());
  return found;
}

/// A directory that is beside its place until it is complete, and gone where it does not get there.
class Draft {
public:
  explicit Draft(const std::string &place) : place(place), path(place + ".partial") {
    std::error_code failed;
    if (fs::exists(place, failed) && !(fs::is_directory(place, failed) && fs::is_empty(place, failed)))
      throw UserError("--pack " + place + ": it is there already, and not an empty directory; name a new one");
    fs::remove_all(path, failed); // of a program that was killed
    make_writable_directory(path);
  }
  Draft(const Draft &) = delete;
  ~Draft() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }

  void write(const std::string &name, std::string bytes) const { write_files({{path + "/" + name, std::move(bytes)}}); }

  void finish() const {
    std::error_code failed;
    fs::permissions(path + "/run", fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec, fs::perm_options::add, failed);
    if (!failed)
      fs::rename(path, place, failed);
    if (failed)
      throw UserError("cannot make '" + place + "': " + failed.message());
  }

private:
  std::string place, path;
};

/// What it runs from is enough.
void drop_object(Kernel &kernel) {
  if (!kernel.image.empty())
    kernel.object.clear();
}

PackedCandidate packed(const Candidates &candidates, size_t index, bool gated) {
  const Candidate &candidate = candidates[index];
  PackedCandidate made{
      candidate.kernel, {}, candidate.schedule.numerics == candidates[0].schedule.numerics, gated, candidate.verdict.deviation};
  drop_object(made.kernel);
  if (!gated)
    made.gate = candidates.gate_kernel(index);
  if (made.gate)
    drop_object(*made.gate);
  return made;
}

/// All candidates that are not rejected.
std::vector<PackedCandidate> packed(const Candidates &candidates, bool gated) {
  std::vector<PackedCandidate> made;
  for (size_t i = 0; i < candidates.size(); ++i) {
    std::string rejected = candidates[i].verdict.rejected;
    try {
      if (rejected.empty())
        made.push_back(packed(candidates, i, gated));
    } catch (const UserError &error) { // the gate's kernel does not compile
      rejected = error.what();
    }
    if (i == 0 && !rejected.empty())
      throw UserError("the default schedule is rejected: " + rejected);
  }
  return made;
}

} // namespace

PackSummary write_pack(std::span<const Problem> problems, const SearchOptions &options, const std::string &directory,
                       const ShowProgress &progress) {
  const EffortPlan &effort = plan_of(options.effort);
  if (effort.waves == 0)
    throw UserError("--pack with --effort estimate: there is nothing to measure; choose quick, patient or exhaustive");
  const Draft draft(directory);
  PackSummary summary;
  summary.gated = runs_here(*options.target);
  for (const Problem &problem : problems) {
    Progress state;
    state.problem = ++summary.problems;
    state.problems = int(problems.size());
    state.text = to_text(problem);
    state.seconds_left = -1;
    const SweepPlan plan = make_sweep_plan(problem);
    const Space space = space_of(plan, *options.target, *options.backend, options.numerics);
    Candidates candidates(space, options.cache, options.jobs, options.threads, summary.gated ? &this_cpu() : nullptr);
    const std::vector<Schedule> schedules = schedules_within_reach(space, options.effort);
    state.tried = int(schedules.size());
    candidates.add(
        schedules, {}, options.limit_seconds,
        [&](std::string_view doing, int count) {
          state.doing = doing;
          state.alive = count;
          progress(state);
        },
        nullptr);
    if (const std::string doubt = candidates.doubt(); !doubt.empty() && options.warn)
      options.warn(doubt);
    PackedProblem made{problem, state.problem, state.problems};
    made.target = options.target->name;
    made.backend = options.target->backend;
    made.compiler = toolchain();
    made.threads = options.threads;
    made.pin = options.pin;
    made.seed = options.seed;
    made.search_rounds = effort.search_rounds;
    made.confirm_rounds = effort.confirm_rounds;
    made.seconds = options.budget_seconds > 0 ? options.budget_seconds / double(problems.size()) : effort.seconds;
    try {
      made.candidates = packed(candidates, summary.gated);
    } catch (const UserError &error) {
      throw UserError("'" + state.text + "': " + error.what());
    }
    summary.no_machine_code = candidates.no_machine_code();
    summary.candidates += int(made.candidates.size());
    summary.rejected += int(candidates.size() - made.candidates.size());
    draft.write(file_name(made), to_bytes(made));
  }
  draft.write("run", std::string(runner(*options.target)));
  draft.finish();
  return summary;
}

} // namespace normforge
