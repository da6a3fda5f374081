#include "codegen/gpu_call.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "codegen/package/call_arguments.h"
#include "dsl/error.h"
#include "runtime/cuda.h"
#include "runtime/cuda_driver.h"

namespace normforge {
namespace {

using nf::cuda::Handle;
using nf::cuda::Result;

/// What copying and timing take of the driver, beside what the runtime does.
struct Driver {
  Result (*retain_context)(Handle *, int device);
  Result (*set_context)(Handle);
  Result (*synchronize)();
  Result (*allocate)(uint64_t *, size_t bytes);
  Result (*free)(uint64_t);
  Result (*copy_in)(uint64_t to, const void *from, size_t bytes);
  Result (*copy_out)(void *to, uint64_t from, size_t bytes);
  Result (*create_event)(Handle *, unsigned flags);
  Result (*destroy_event)(Handle);
  Result (*record_event)(Handle, Handle stream);
  Result (*wait_event)(Handle);
  Result (*elapsed)(float *milliseconds, Handle begin, Handle end);
};
constexpr const char *kNames[] = {
    "cuDevicePrimaryCtxRetain", "cuCtxSetCurrent", "cuCtxSynchronize",  "cuMemAlloc_v2", "cuMemFree_v2",       "cuMemcpyHtoD_v2",
    "cuMemcpyDtoH_v2",          "cuEventCreate",   "cuEventDestroy_v2", "cuEventRecord", "cuEventSynchronize", "cuEventElapsedTime",
};
static_assert(sizeof kNames / sizeof *kNames == sizeof(Driver) / sizeof(void *));

const Driver &driver() {
  static const Driver driver = [] {
    Driver found{};
    for (size_t i = 0; i < std::size(kNames); ++i) {
      void *entry = nf_cuda_symbol(kNames[i]);
      if (!entry)
        throw UserError(std::string("the driver lacks ") + kNames[i] + "; install a newer one");
      std::memcpy(reinterpret_cast<char *>(&found) + i * sizeof entry, &entry, sizeof entry);
    }
    return found;
  }();
  return driver;
}

void check(Result result, const char *what) {
  if (result)
    throw UserError(std::string(what) + ": the CUDA driver reports error " + std::to_string(result));
}

/// The runtime's driver. Throws UserError where there is none, or no such GPU.
const nf::cuda::Driver &open_device(int device) {
  const nf::cuda::Driver *runtime;
  if (const nf_status status = nf_cuda_driver(&runtime); status != NF_OK)
    throw UserError(std::string(nf_status_string(status)) + "; give --device emulator to run a GPU's kernel without one");
  int count = 0;
  check(runtime->device_count(&count), "cuda");
  if (device >= count)
    throw UserError("cuda:" + std::to_string(device) + ": this machine has GPUs 0 to " + std::to_string(count - 1));
  return *runtime;
}

int capability(int device) {
  const nf::cuda::Driver &runtime = open_device(device);
  int major = 0, minor = 0;
  check(runtime.device_attribute(&major, nf::cuda::kCapabilityMajor, device), "cuda");
  check(runtime.device_attribute(&minor, nf::cuda::kCapabilityMinor, device), "cuda");
  return 10 * major + minor;
}

/// Memory of the GPU.
class DeviceMemory {
public:
  DeviceMemory() = default;
  explicit DeviceMemory(size_t bytes) { check(driver().allocate(&address, std::max<size_t>(bytes, 1)), "memory on the GPU"); }
  DeviceMemory(DeviceMemory &&other) noexcept : address(std::exchange(other.address, 0)) {}
  DeviceMemory &operator=(DeviceMemory &&other) noexcept {
    std::swap(address, other.address);
    return *this;
  }
  ~DeviceMemory() {
    if (address)
      driver().free(address);
  }
  uint64_t get() const { return address; }

private:
  uint64_t address = 0;
};

class Event {
public:
  Event() { check(driver().create_event(&handle, 0), "timing"); }
  Event(const Event &) = delete;
  ~Event() { driver().destroy_event(handle); }
  void record() { check(driver().record_event(handle, nullptr), "timing"); }
  double seconds_since(const Event &begin) const {
    float milliseconds = 0;
    check(driver().wait_event(handle), "timing");
    check(driver().elapsed(&milliseconds, begin.handle, handle), "timing");
    return double(milliseconds) * 1e-3;
  }

private:
  Handle handle = nullptr;
};

} // namespace

const Target &gpu_target(int device) {
  const int level = capability(device);
  const Target *best = nullptr;
  for (const Target &target : targets())
    if (target.gpu() && target.level <= level && (!best || target.level > best->level))
      best = &target;
  if (!best)
    throw UserError("cuda:" + std::to_string(device) + ": its compute capability " + std::to_string(level / 10) + "." +
                    std::to_string(level % 10) + " is below that of every target");
  return *best;
}

struct GpuCall::State {
  FunctionTable table;
  CallArguments args;
  std::vector<void *> host; ///< by tensor
  std::vector<size_t> bytes;
  std::vector<DeviceMemory> tensors;
  DeviceMemory workspace;
  nf_cuda_options options{};

  State(const Problem &problem, const Target &target, const Kernel &kernel) : table(problem), args(table) {
    std::vector<nf_step> steps;
    for (const Step &step : kernel.steps)
      steps.push_back({nullptr, step.items, step.item_bytes, nullptr});
    table.add_kernel(problem, target, kernel, steps);
  }

  void check_status(nf_status status) const {
    if (status == NF_OK)
      return;
    nf_choice choice{};
    nf_cuda_which(&table.function(), args.data(), &options, &choice);
    const bool said = status == NF_DRIVER_ERROR || status == NF_OLD_DRIVER;
    throw UserError(std::string(table.function().name) +
                    ": the call is refused: " + (said || !*choice.why ? nf_status_string(status) : choice.why) +
                    (said ? " (" + std::to_string(nf_cuda_error()) + ")" : ""));
  }

  void call() const { check_status(nf_cuda_call(&table.function(), args.data(), &options)); }
};

GpuCall::GpuCall(const SweepPlan &plan, const Schedule &schedule, const Target &target, int device) {
  if (const int level = capability(device); target.level > level)
    throw UserError("cuda:" + std::to_string(device) + " does not run " + std::string(target.name) + " code; choose " +
                    std::string(gpu_target(device).name) + " or lower");
  Handle context;
  check(driver().retain_context(&context, device), "cuda");
  check(driver().set_context(context), "cuda");
  state = std::make_unique<State>(plan.problem, target, backend_for(target).compile(plan, schedule, target, "kernel"));
}
GpuCall::~GpuCall() = default;
GpuCall::GpuCall(GpuCall &&) noexcept = default;
GpuCall &GpuCall::operator=(GpuCall &&) noexcept = default;

void GpuCall::bind(const std::vector<int64_t> &extents, const std::vector<void *> &tensors, const std::vector<double> &scalars) {
  state->args.set(extents, scalars);
  const Problem &problem = state->table.problem();
  state->host = tensors;
  state->bytes.assign(tensors.size(), 0);
  state->tensors.clear();
  for (size_t t = 0; t < tensors.size(); ++t) {
    DeviceMemory &memory = state->tensors.emplace_back();
    if (tensors[t]) {
      state->bytes[t] = size_t(info(*problem.dtypes[t]).bytes);
      for (int axis : problem.norm->program.tensors[t].axes)
        state->bytes[t] = size_t(checked_product(int64_t(state->bytes[t]), extents[size_t(axis)], "the size of a tensor"));
      memory = DeviceMemory(state->bytes[t]);
      check(driver().copy_in(memory.get(), tensors[t], state->bytes[t]), "copying to the GPU");
    }
    state->args.point(t, memory.get());
  }
  int64_t wanted = 0;
  state->check_status(nf_cuda_workspace_bytes(&state->table.function(), state->args.data(), &wanted));
  state->workspace = DeviceMemory(size_t(wanted));
  state->options = {nullptr, reinterpret_cast<void *>(state->workspace.get()), wanted};
}

void GpuCall::run() {
  state->call();
  check(driver().synchronize(), "running on the GPU");
  const Program &program = state->table.problem().norm->program;
  for (size_t t = 0; t < state->host.size(); ++t)
    if (state->host[t] && (program.tensors[t].role == Tensor::output || program.tensors[t].role == Tensor::inout))
      check(driver().copy_out(state->host[t], state->tensors[t].get(), state->bytes[t]), "copying from the GPU");
}

double GpuCall::time(int calls) {
  Event begin, end;
  begin.record();
  for (int i = 0; i < calls; ++i)
    state->call();
  end.record();
  return end.seconds_since(begin);
}

} // namespace normforge
