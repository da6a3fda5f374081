// Candidates of a search, compiled and checked. Schedules that give the same machine code are one candidate.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "autotune/gate.h"
#include "autotune/space.h"
#include "codegen/package/compile.h"

namespace normforge {

struct Candidate {
  Schedule schedule;
  std::string text; ///< of the schedule
  Kernel kernel;
  Verdict verdict; ///< the gate's; rejected also where it does not compile
};

class Candidates {
public:
  /// `threads`: of the calls that will be timed; on one thread the grain that work is cut in makes no difference. `machine`: what checks
  /// candidates; null: they are not checked.
  Candidates(const Space &space, const std::string &cache_directory, int jobs, int threads, const Machine *machine);

  /// Compiles and checks those of `schedules` that are new, until stop() says so. What the gate has already said of a schedule's code
  /// (`known`, by schedule and code hash) is not asked again. Returns the indices of new candidates.
  std::vector<size_t> add(const std::vector<Schedule> &schedules, const std::map<std::pair<std::string, std::string>, Verdict> &known,
                          double limit_seconds, const std::function<void(std::string_view doing, int count)> &progress,
                          const std::function<bool()> &stop);

  const Candidate &operator[](size_t index) const { return *list[index]; }
  size_t size() const { return list.size(); }
  /// What the gate tries in place of a candidate's own kernel: the same schedule for gate_problem(). Nothing where that is the space's own
  /// problem, or the schedule does not serve it. Throws UserError when it does not compile.
  std::optional<Kernel> gate_kernel(size_t index) const;
  /// -1: none of that schedule.
  int find(const std::string &schedule) const;
  /// Why kernels of a GPU have no machine code, but PTX alone; empty: they have, or need none.
  const std::string &no_machine_code() const { return assembling.refusal; }
  /// What the assembler says against the default, which stays a candidate all the same; empty: nothing.
  std::string doubt() const;

private:
  const Space &space;
  KernelCache cache;
  Assembling assembling; ///< of a GPU's kernels
  int jobs, threads;
  const Machine *machine;
  Problem small;        ///< what the gate tries
  SweepPlan small_plan; ///< of that
  bool smaller;         ///< whether it is another problem than the space's
  std::vector<std::unique_ptr<Candidate>> list;
  std::set<std::string> tried;                            ///< schedules
  std::map<std::pair<uint64_t, int64_t>, size_t> by_code; ///< and grain

  Kernel compile(const SweepPlan &, const Schedule &) const;
  void check(const std::vector<size_t> &fresh, double limit_seconds, const std::function<bool()> &stop);
};

} // namespace normforge
