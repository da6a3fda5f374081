#include "codegen/package/compile.h"

#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

namespace normforge {

std::vector<Kernel> compile_kernels(std::span<const SelectedKernel *const> selected, const KernelCache &cache, int jobs,
                                    const std::function<void(const CompileProgress &)> &progress) {
  // One unit of work per key; its first kernel stands for all.
  struct Unit {
    std::string key;
    const SelectedKernel *from;
    Kernel kernel;
    std::exception_ptr error;
  };
  std::map<std::string, size_t> unit_of_key;
  std::vector<Unit> units;
  std::vector<size_t> unit_of(selected.size());
  for (size_t i = 0; i < selected.size(); ++i) {
    std::string key = kernel_key(*selected[i]->plan, selected[i]->schedule, *selected[i]->target);
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
      bool compiled = false;
      try {
        if (auto kept = cache.find(unit.key)) {
          unit.kernel = std::move(*kept);
        } else {
          const SelectedKernel &from = *unit.from;
          unit.kernel = backend_for(*from.target).compile(*from.plan, from.schedule, *from.target, "kernel");
          compiled = true;
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
  for (const size_t unit : unit_of)
    kernels.push_back(units[unit].kernel);
  return kernels;
}

} // namespace normforge
