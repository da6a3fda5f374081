#include "autotune/machine.h"

#include <chrono>

#include "autotune/shapes.h"
#include "autotune/workload.h"
#include "codegen/compiled_call.h"
#include "dsl/conditions.h"

namespace normforge {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr int kPlacements = 4;             ///< of the tensors in memory, by turns: which kernel is faster may depend on it
constexpr int64_t kPlacedBytes = 16 << 20; ///< of tensors; larger ones lie on pages enough for every placement

class CpuBench : public Bench {
public:
  explicit CpuBench(const BenchOptions &options)
      : options(options), warm(options.regime == Regime::warm),
        work(options.shape, options.seed, warm && tensor_bytes(options.shape) <= kPlacedBytes ? kPlacements : 1,
             warm ? 0 : options.rotation_bytes),
        extents(fixed_extents(options.shape)), scalars(scalar_values(options.shape.norm->program, {})) {}

  void add(const Kernel &kernel) override {
    kernels.emplace_back(options.problem, *options.target, kernel);
    kernels.back().bind(extents, work.tensors(0), scalars);
  }

  FirstCall first_call(size_t kernel) override {
    work.poison(0);
    work.restore(0);
    const auto start = Clock::now();
    kernels[kernel].run(options.threads);
    const double seconds = since(start);
    return {work.results(0), seconds};
  }

  bool same(const std::vector<char> &a, const std::vector<char> &b) const override { return work.same(a, b); }

  /// Where a call overwrites its input, calls are timed one by one.
  double seconds(size_t kernel, int64_t calls) override {
    CompiledCall &timed = kernels[kernel];
    if (warm)
      timed.rebind(work.tensors(turn));
    if (!work.restores()) {
      const auto start = Clock::now();
      for (int64_t i = 0; i < calls; ++i)
        call(timed);
      return since(start);
    }
    double seconds = 0;
    for (int64_t i = 0; i < calls; ++i) {
      if (warm)
        work.restore(turn);
      else if (turn == 0) // all sets at once, so that each is out of the caches again when its turn comes
        for (int set = 0; set < work.sets(); ++set)
          work.restore(set);
      const auto start = Clock::now();
      call(timed);
      seconds += since(start);
    }
    return seconds;
  }

  void begin_round(int round) override {
    if (warm)
      turn = round % work.sets();
  }

  bool prepares() const override { return warm; }

private:
  const BenchOptions options;
  const bool warm;
  Workload work;
  std::vector<int64_t> extents;
  std::vector<double> scalars;
  std::vector<CompiledCall> kernels;
  int turn = 0; ///< the set of the next cold call, of all warm ones of a round

  void call(CompiledCall &timed) {
    if (!warm) {
      timed.rebind(work.tensors(turn));
      turn = turn + 1 == work.sets() ? 0 : turn + 1;
    }
    timed.run(options.threads);
  }
};

class Cpu : public Machine {
public:
  Device device() const override { return this_device(); }

  std::string cannot_run(const Target &target) const override {
    if (target.gpu())
      return "this runner measures on CPUs";
    return runs_here(target) ? "" : "this machine runs " + std::string(host_target().name) + " at most";
  }

  std::string run(KernelCall &call, const Kernel &kernel) const override {
    call.run(kernel, LoadedKernel(kernel));
    return "";
  }

  std::unique_ptr<Bench> bench(const BenchOptions &options) const override { return std::make_unique<CpuBench>(options); }
  double sample_seconds() const override { return 1e-3; }
};

} // namespace

const Machine &this_cpu() {
  static const Cpu cpu;
  return cpu;
}

} // namespace normforge
