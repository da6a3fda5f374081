#include "codegen/package/compile.h"

#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "codegen/resources.h"
#include "dsl/error.h"

namespace normforge {
namespace {

std::string key_of(const SweepPlan &plan, const Schedule &schedule, const Target &target, const Assembling *assembling) {
  return kernel_key(plan, schedule, target, target.gpu() && assembling ? assembling->version : "");
}

CompiledKernel find_or_compile(const std::string &key, const Backend &backend, const SweepPlan &plan, const Schedule &schedule,
                               const Target &target, const KernelCache &cache, const Assembling *assembling) {
  if (auto kept = cache.find(key))
    return {std::move(*kept), true, ""};
  CompiledKernel made{backend.compile(plan, schedule, target, "kernel")};
  if (target.gpu() && assembling && !assembling->ptxas.empty())
    try {
      Cubin cubin = cubin_of(made.kernel, target, assembling->ptxas);
      made.kernel.image = std::move(cubin.code);
      made.kernel.spilled_bytes = cubin.spilled_bytes;
    } catch (const UserError &error) {
      made.refusal = error.what();
    }
  if (made.refusal.empty())
    cache.store(key, made.kernel);
  return made;
}

} // namespace

CompiledKernel compile_kernel(const Backend &backend, const SweepPlan &plan, const Schedule &schedule, const Target &target,
                              const KernelCache &cache, const Assembling *assembling) {
  return find_or_compile(key_of(plan, schedule, target, assembling), backend, plan, schedule, target, cache, assembling);
}

Assembling find_assembler() {
  Assembling found{.ptxas = find_ptxas()};
  if (found.ptxas.empty()) {
    found.refusal = "there is no ptxas; install the CUDA toolkit, or name one by NORMFORGE_PTXAS";
    return found;
  }
  try {
    found.version = ptxas_version(found.ptxas);
  } catch (const UserError &error) {
    return {.refusal = error.what()};
  }
  return found;
}

std::vector<Kernel> compile_kernels(std::span<const SelectedKernel *const> selected, const KernelCache &cache, int jobs,
                                    const std::function<void(const CompileProgress &)> &progress, Assembling *assembling) {
  // One unit of work per key; its first kernel stands for all.
  struct Unit {
    std::string key;
    const SelectedKernel *from;
    CompiledKernel made;
    std::exception_ptr error;
  };
  std::map<std::string, size_t> unit_of_key;
  std::vector<Unit> units;
  std::vector<size_t> unit_of(selected.size());
  for (size_t i = 0; i < selected.size(); ++i) {
    std::string key = key_of(*selected[i]->plan, selected[i]->schedule, *selected[i]->target, assembling);
    const auto [found, added] = unit_of_key.try_emplace(key, units.size());
    if (added)
      units.push_back({std::move(key), selected[i], {}, {}});
    unit_of[i] = found->second;
  }

  std::atomic<size_t> next = 0;
  std::atomic<bool> failed = false;
  std::mutex reporting;
  CompileProgress state{int(units.size())};
  const auto work = [&] {
    for (size_t i; !failed && (i = next++) < units.size();) {
      Unit &unit = units[i];
      try {
        const SelectedKernel &from = *unit.from;
        unit.made = find_or_compile(unit.key, backend_for(*from.target), *from.plan, from.schedule, *from.target, cache, assembling);
      } catch (...) {
        unit.error = std::current_exception();
        failed = true;
        return;
      }
      const std::lock_guard lock(reporting);
      ++(unit.made.cached ? state.cached : state.compiled);
      if (progress)
        progress(state);
    }
  };
  if (jobs <= 0)
    jobs = int(std::max(1u, std::thread::hardware_concurrency()));
  {
    std::vector<std::jthread> threads;
    for (int i = 1; i < std::min(jobs, int(units.size())); ++i)
      threads.emplace_back(work);
    work();
  }
  std::vector<Kernel> kernels;
  for (const Unit &unit : units)
    if (unit.error)
      std::rethrow_exception(unit.error);
  for (const Unit &unit : units)
    if (assembling && unit.from->target->gpu()) {
      ++assembling->kernels;
      assembling->refused += !unit.made.refusal.empty();
      if (assembling->refusal.empty())
        assembling->refusal = unit.made.refusal;
    }
  for (const size_t unit : unit_of)
    kernels.push_back(units[unit].made.kernel);
  return kernels;
}

} // namespace normforge
