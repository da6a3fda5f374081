#include "autotune/machine.h"

#include "autotune/contain.h"
#include "autotune/shapes.h"
#include "autotune/workload.h"
#include "codegen/check/gpu_kernel_call.h"
#include "codegen/gpu_call.h"
#include "dsl/conditions.h"

namespace normforge {
namespace {

constexpr int kDevice = 0;
constexpr double kWarmUpSeconds = 0.1; ///< until the clocks are up
constexpr double kLimitSeconds = 60;   ///< for a driver to come up

/// Does what may fail by a kernel's fault, or because the runtime refuses it: that is about this kernel, not about the machine.
template <class Work> auto faulting(const Work &work) {
  try {
    return work();
  } catch (const UserError &error) {
    throw Fault(error.what());
  }
}

/// A workload's block of memory, with the same offsets on the GPU, and what its calls overwrite once more.
class GpuWorkload {
public:
  GpuWorkload(const Problem &shape, uint64_t seed, int64_t rotation_bytes)
      : host(shape, seed, 1, rotation_bytes), block(host.bytes()), pristine(restores() ? host.set_bytes() : 0) {
    copy_to_gpu(block.address(), host.data(), host.bytes());
    if (restores())
      copy_to_gpu(pristine.address(), host.data(), host.set_bytes());
  }

  int sets() const { return host.sets(); }
  bool restores() const { return host.restores(); }
  bool same(const std::vector<char> &a, const std::vector<char> &b) const { return host.same(a, b); }

  std::vector<uint64_t> tensors(int set) const {
    std::vector<uint64_t> addresses;
    for (const void *tensor : host.tensors(set))
      addresses.push_back(tensor ? block.address() + uint64_t(static_cast<const char *>(tensor) - host.data()) : 0);
    return addresses;
  }
  void restore(int set) const {
    for (const Workload::Part &part : host.overwritten())
      copy_on_gpu(block.address() + host.offset(part, set), pristine.address() + host.offset(part, 0), size_t(part.bytes));
  }
  void poison(int set) const {
    for (const Workload::Part &part : host.outputs())
      fill_on_gpu(block.address() + host.offset(part, set), 0xff, size_t(part.bytes));
  }
  std::vector<char> results(int set) const {
    std::vector<char> bytes;
    for (const std::vector<Workload::Part> *parts : {&host.overwritten(), &host.outputs()})
      for (const Workload::Part &part : *parts) {
        bytes.resize(bytes.size() + size_t(part.bytes));
        copy_from_gpu(bytes.data() + bytes.size() - part.bytes, block.address() + host.offset(part, set), size_t(part.bytes));
      }
    return bytes;
  }

private:
  Workload host;
  GpuMemory block, pristine; ///< the latter: a set
};

class GpuBench : public Bench {
public:
  explicit GpuBench(const BenchOptions &options)
      : options(options), work((use_gpu(kDevice), options.shape), options.seed, options.rotation_bytes),
        extents(fixed_extents(options.shape)), scalars(scalar_values(options.shape.norm->program, {})) {
    for (int set = 0; set < work.sets(); ++set)
      tensors.push_back(work.tensors(set));
  }

  void add(const Kernel &kernel) override {
    faulting([&] {
      kernels.emplace_back(options.problem, *options.target, kernel, kDevice);
      kernels.back().place(extents, tensors[0], {}, scalars);
    });
  }

  FirstCall first_call(size_t kernel) override {
    return faulting([&] {
      work.poison(0);
      work.restore(0);
      kernels[kernel].move(tensors[0]);
      kernels[kernel].enqueue(); // its code is loaded now, and not while launches are recorded
      std::vector<char> written = work.results(0);
      turn = 0;
      double warmed = kernel == 0 ? 0 : kWarmUpSeconds;
      for (int64_t calls = 1; warmed < kWarmUpSeconds; calls *= 2)
        warmed += seconds(kernel, calls);
      return FirstCall{std::move(written), seconds(kernel, 1)};
    });
  }

  bool same(const std::vector<char> &a, const std::vector<char> &b) const override { return work.same(a, b); }

  /// Where a call overwrites its input, all sets are put back before the first one's turn comes again, and the time stands still meanwhile.
  double seconds(size_t kernel, int64_t calls) override {
    return faulting([&] {
      double seconds = 0;
      while (calls > 0) {
        int64_t stretch = calls;
        if (work.restores()) {
          stretch = std::min<int64_t>(calls, work.sets() - turn);
          for (int set = 0; turn == 0 && set < work.sets(); ++set)
            work.restore(set);
        }
        seconds += stretch_seconds(kernels[kernel], stretch);
        calls -= stretch;
      }
      return seconds;
    });
  }

  void begin_round(int) override {}
  bool prepares() const override { return true; }

private:
  const BenchOptions options;
  GpuWorkload work;
  std::vector<int64_t> extents;
  std::vector<double> scalars;
  std::vector<std::vector<uint64_t>> tensors; ///< by set
  std::vector<GpuCall> kernels;
  GpuTimer timer;
  int turn = 0; ///< the set of the next call

  double stretch_seconds(GpuCall &call, int64_t calls) {
    const int64_t begin = turn;
    turn = int((begin + calls) % work.sets());
    return timer.seconds(calls, [&](int64_t i, void *stream) {
      call.move(tensors[size_t((begin + i) % work.sets())]);
      call.enqueue(stream);
    });
  }
};

/// Asked for in a child, since the parent keeps away from the driver.
Device ask_device() {
  std::string text;
  const Ending ending = run_contained(
      [](const Send &send) {
        const GpuFacts facts = gpu_facts(kDevice);
        send(fingerprint({.name = facts.name,
                          .level = "sm_" + std::to_string(facts.capability),
                          .cache = {facts.l2_bytes},
                          .cores = facts.multiprocessors,
                          .clock_mhz = facts.clock_mhz,
                          .driver = std::to_string(facts.driver / 1000) + "." + std::to_string(facts.driver % 1000 / 10)}));
      },
      [&](std::string_view sent) { text = sent; }, kLimitSeconds, nullptr);
  if (ending.kind != Ending::finished)
    throw UserError("the CUDA driver: " + ending.text());
  return parse_fingerprint(text);
}

class Gpu : public Machine {
public:
  Device device() const override {
    static const Device asked = ask_device();
    return asked;
  }

  std::string cannot_run(const Target &target) const override {
    if (!target.gpu())
      return "this runner measures on GPUs";
    const Device here = device();
    const int level = std::stoi(here.level.substr(here.level.find('_') + 1));
    return target.level / 10 == level / 10 && target.level <= level ? "" : "this GPU, " + here.name + ", is an " + here.level;
  }

  std::string run(KernelCall &call, const Kernel &kernel) const override {
    return faulting([&] { return run_on_gpu(call, kernel, kDevice); });
  }

  std::unique_ptr<Bench> bench(const BenchOptions &options) const override { return std::make_unique<GpuBench>(options); }
  double sample_seconds() const override { return 200e-6; }
};

} // namespace

const Machine &this_gpu() {
  static const Gpu gpu;
  return gpu;
}

} // namespace normforge
