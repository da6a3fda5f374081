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

/// Gives a GPU's kernel its machine code; says why where there is none.
std::string assemble(Kernel &kernel, const Target &target, const Assembling *assembling) {
  if (!target.gpu() || !assembling || assembling->ptxas.empty())
    return "";
  try {
    kernel.image = cubin_of(kernel, target, assembling->ptxas);
    return "";
  } catch (const UserError &error) {
    return error.what();
  }
}

} // namespace

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
    Kernel kernel;
    std::exception_ptr error;
    std::string refusal; ///< of the assembler
  };
  std::map<std::string, size_t> unit_of_key;
  std::vector<Unit> units;
  std::vector<size_t> unit_of(selected.size());
  for (size_t i = 0; i < selected.size(); ++i) {
    const Target &target = *selected[i]->target;
    std::string key = kernel_key(*selected[i]->plan, selected[i]->schedule, target, target.gpu() && assembling ? assembling->version : "");
    const auto [found, added] = unit_of_key.try_emplace(key, units.size());
    if (added)
      units.push_back({std::move(key), selected[i], {}, {}, {}});
    unit_of[i] = found->second;
  }

  std::atomic<size_t> next = 0;
  std::atomic<bool> failed = false;
  std::mutex reporting;
  CompileProgress state{int(units.size())};
  const auto work = [&] {
    for (size_t i; !failed && (i = next++) < units.size();) {
      Unit &unit = units[i];
      bool compiled = false;
      try {
        if (auto kept = cache.find(unit.key)) {
          unit.kernel = std::move(*kept);
        } else {
          const SelectedKernel &from = *unit.from;
          unit.kernel = backend_for(*from.target).compile(*from.plan, from.schedule, *from.target, "kernel");
          compiled = true;
          unit.refusal = assemble(unit.kernel, *from.target, assembling);
          if (unit.refusal.empty()) // what is missing may come later
            cache.store(unit.key, unit.kernel);
        }
      } catch (...) {
        unit.error = std::current_exception();
        failed = true;
        return;
      }
      const std::lock_guard lock(reporting);
      ++(compiled ? state.compiled : state.cached);
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
    if (assembling && assembling->refusal.empty())
      assembling->refusal = unit.refusal;
  for (const size_t unit : unit_of)
    kernels.push_back(units[unit].kernel);
  return kernels;
}

} // namespace normforge
