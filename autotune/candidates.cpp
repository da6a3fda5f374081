#include "autotune/candidates.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "codegen/hash.h"
#include "dsl/error.h"

namespace normforge {
namespace {

/// Calls work(i) for i in [0, count) on `jobs` threads, until stop() says so.
void on_all_cores(size_t count, int jobs, const std::function<bool()> &stop, const std::function<void(size_t)> &work) {
  std::atomic<size_t> next = 0;
  const auto loop = [&] {
    for (size_t i; (i = next++) < count && !(stop && stop());)
      work(i);
  };
  if (jobs <= 0)
    jobs = int(std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::jthread> threads;
  for (int i = 1; i < std::min(jobs, int(count)); ++i)
    threads.emplace_back(loop);
  loop();
}

/// Why a kernel is not worth its time; empty: no reason.
std::string spill_of(const Kernel &kernel) {
  return kernel.spilled_bytes ? "spill: ptxas spills " + std::to_string(kernel.spilled_bytes) + " bytes of registers" : "";
}

} // namespace

Candidates::Candidates(const Space &space, const std::string &cache_directory, int jobs, int threads, const Machine *machine)
    : space(space), cache(cache_directory), assembling(space.target.gpu() ? find_assembler() : Assembling{}), jobs(jobs), threads(threads),
      machine(machine), small(gate_problem(space.plan.problem)), small_plan(make_sweep_plan(small)),
      smaller(!(small == space.plan.problem)) {}

int Candidates::find(const std::string &schedule) const {
  const auto at = std::ranges::find_if(list, [&](const auto &candidate) { return candidate->text == schedule; });
  return at == list.end() ? -1 : int(at - list.begin());
}

Kernel Candidates::compile(const SweepPlan &plan, const Schedule &schedule) const {
  CompiledKernel made = compile_kernel(space.backend, plan, schedule, space.target, cache, &assembling);
  if (!made.refusal.empty())
    throw UserError(made.refusal);
  return std::move(made.kernel);
}

std::vector<size_t> Candidates::add(const std::vector<Schedule> &schedules,
                                    const std::map<std::pair<std::string, std::string>, Verdict> &known, double limit_seconds,
                                    const std::function<void(std::string_view, int)> &progress, const std::function<bool()> &stop) {
  std::vector<std::unique_ptr<Candidate>> made;
  for (const Schedule &schedule : schedules)
    if (std::string text = to_text(schedule, space.backend.knobs()); tried.insert(text).second)
      made.push_back(std::make_unique<Candidate>(Candidate{schedule, std::move(text), {}, {}}));
  std::mutex reporting;
  int count = 0;
  on_all_cores(made.size(), jobs, stop, [&](size_t i) {
    Candidate &candidate = *made[i];
    try {
      candidate.kernel = compile(space.plan, candidate.schedule);
      if (!list.empty() || i > 0) // what all others are compared with stays
        candidate.verdict.rejected = spill_of(candidate.kernel);
    } catch (const std::exception &error) {
      candidate.verdict.rejected = std::string("compile: ") + error.what();
    }
    const std::lock_guard lock(reporting);
    progress("compiling", ++count);
  });

  std::vector<size_t> fresh, unchecked;
  for (std::unique_ptr<Candidate> &candidate : made) {
    const bool compiled = !candidate->kernel.object.empty(), failed = !candidate->verdict.rejected.empty();
    if (!compiled && !failed) { // stopped before its turn came
      tried.erase(candidate->text);
      continue;
    }
    const std::pair code(candidate->kernel.code_hash, threads == 1 ? 0 : candidate->kernel.grain_bytes);
    if (compiled && !by_code.try_emplace(code, list.size()).second)
      continue;
    if (compiled && !failed) {
      if (const auto at = known.find({candidate->text, hash_text(candidate->kernel.code_hash)}); at != known.end())
        candidate->verdict = at->second;
      else
        unchecked.push_back(list.size());
    }
    fresh.push_back(list.size());
    list.push_back(std::move(candidate));
  }
  progress("checking", int(unchecked.size()));
  check(unchecked, limit_seconds, stop);
  std::erase_if(fresh, [&](size_t i) { // stopped before the gate had seen it
    const bool pending = std::ranges::find(unchecked, i) != unchecked.end() && list[i]->verdict.deviation < 0;
    if (pending)
      list[i]->verdict.rejected = "stopped";
    return pending;
  });
  return fresh;
}

std::string Candidates::doubt() const {
  return list.empty() || !list[0]->kernel.spilled_bytes
             ? ""
             : "warning: the default schedule of '" + to_text(space.plan.problem) + "': " + spill_of(list[0]->kernel);
}

std::optional<Kernel> Candidates::gate_kernel(size_t index) const {
  const Schedule &schedule = list[index]->schedule;
  if (!smaller || space.backend.inapplicable(small_plan, schedule, space.target))
    return std::nullopt;
  return compile(small_plan, schedule);
}

void Candidates::check(const std::vector<size_t> &unchecked, double limit_seconds, const std::function<bool()> &stop) {
  if (unchecked.empty() || !machine)
    return;
  for (size_t i : unchecked)
    list[i]->verdict.deviation = -1;
  if (list[0]->kernel.object.empty()) { // there is nothing to compare with
    for (size_t i : unchecked)
      list[i]->verdict = {"gate: the default schedule is rejected: " + list[0]->verdict.rejected, 0};
    return;
  }
  // The default comes first, also where it has passed before: the others are compared with it.
  std::vector<size_t> order(unchecked);
  if (order.front() != 0)
    order.insert(order.begin(), 0);
  std::vector<Kernel> other(smaller ? order.size() : 0);
  if (smaller)
    on_all_cores(order.size(), jobs, stop, [&](size_t i) {
      if (auto kernel = gate_kernel(order[i]))
        other[i] = std::move(*kernel);
    });
  if (stop && stop())
    return;
  std::vector<Entrant> entrants;
  std::vector<size_t> of;
  for (size_t i = 0; i < order.size(); ++i) {
    Candidate &candidate = *list[order[i]];
    if (smaller && other[i].object.empty()) { // for these extents alone: measure() compares its bits with the default's
      candidate.verdict.deviation = 0;
      continue;
    }
    entrants.push_back({smaller ? &other[i] : &candidate.kernel, candidate.schedule.numerics == list[0]->schedule.numerics});
    of.push_back(order[i]);
  }
  const std::vector<Verdict> verdicts = pass_gate(small, entrants, limit_seconds, stop, *machine);
  for (size_t i = 0; i < verdicts.size(); ++i)
    list[of[i]]->verdict = verdicts[i];
}

} // namespace normforge
