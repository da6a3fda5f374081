// Devices, contexts, memory, streams and launches of the stand-in driver. All is done at once, in the order in which it is asked for, but
// for what a capture takes up.
#include "tests/driver/stand_in.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include "codegen/emulator.h"
#include "dsl/words.h"
#include "runtime/cuda_driver.h"
#include "tests/driver/stand_in_kernels.h"

namespace {

using namespace normforge;
using namespace normforge::testing;
using nf::cuda::kInvalidContext, nf::cuda::kInvalidHandle, nf::cuda::kInvalidValue, nf::cuda::kNoDevice, nf::cuda::kOutOfMemory;

constexpr CUresult kInvalidPtx = 218, kNoBinary = 209, kNotFound = 500, kIllegalAddress = 700, kCaptureUnsupported = 900;
constexpr int64_t kPlainSharedBytes = 48 << 10;

struct Context {
  int device;
  unsigned long long id;
  CUresult error = 0; ///< what a kernel did wrong: all that follows fails
};
struct Module {
  Context *context;
  std::shared_ptr<const StandInKernel> kernel;
};
struct Function {
  Module *module;
  size_t step;
  int64_t shared_bytes = kPlainSharedBytes;
};
struct Enqueued {
  Function *function;
  nf_kernel_args args;
  int64_t begin, end;
};
struct Stream {
  Context *context;
  std::vector<Enqueued> *capture = nullptr;
};

std::recursive_mutex mutex;
std::vector<std::string> events;
std::map<uintptr_t, size_t> memory; ///< of all devices: bytes by address
std::set<Context *> contexts;
std::set<Stream *> streams;
std::map<int, Context *> primary;
unsigned long long last_id = 0;
thread_local Context *current = nullptr;
thread_local int capture_mode = 0; ///< a relaxed thread may allocate while it captures
int captures = 0;

std::string setting(const char *name, const char *fallback) {
  const char *value = std::getenv((std::string("NORMFORGE_STAND_IN_") + name).c_str());
  return value ? value : fallback;
}

/// Capabilities, by device.
std::vector<int> devices() {
  std::vector<int> found;
  if (const std::string text = setting("DEVICES", "90"); text != "none")
    for (std::string_view one : split(text, ','))
      found.push_back(std::stoi(std::string(one)));
  return found;
}

/// What an entry point has to say before it does anything.
CUresult failure(const char *entry_point) {
  const std::string text = setting("FAIL", "");
  const size_t sign = text.find('=');
  if (sign != text.npos && text.substr(0, sign) == entry_point)
    return std::stoi(text.substr(sign + 1));
  return 0;
}

/// The same, and a context must be there, in order.
CUresult refusal(const char *entry_point) {
  if (const CUresult result = failure(entry_point))
    return result;
  return !current || !contexts.contains(current) ? kInvalidContext : current->error;
}

/// The same, of what may not happen while a stream is captured.
CUresult unsafe_refusal(const char *entry_point) {
  if (captures > 0 && capture_mode != nf::cuda::kCaptureRelaxed)
    return kCaptureUnsupported;
  return refusal(entry_point);
}

bool on_device(const void *pointer) {
  const auto next = memory.upper_bound(reinterpret_cast<uintptr_t>(pointer));
  if (next == memory.begin())
    return false;
  const auto [base, bytes] = *std::prev(next);
  return reinterpret_cast<uintptr_t>(pointer) < base + bytes;
}

void run(const Enqueued &launch) {
  const StandInKernel &kernel = *launch.function->module->kernel;
  for (const void *pointer : launch.args.tensors)
    if (pointer && !on_device(pointer)) {
      current->error = kIllegalAddress;
      events.push_back("fault: a pointer to the host");
      return;
    }
  kernel.emulated.steps()[launch.function->step].run(&launch.args, launch.begin, launch.end);
  if (const std::string fault = take_emulator_fault(); !fault.empty()) {
    current->error = kIllegalAddress;
    events.push_back("fault: " + fault);
  }
}

Context *add_context(int device) {
  Context *context = *contexts.insert(new Context{device, ++last_id}).first;
  return context;
}

} // namespace

namespace normforge::testing {

std::vector<std::string> take_driver_events() {
  const std::lock_guard lock(mutex);
  return std::exchange(events, {});
}

} // namespace normforge::testing

#define LOCKED const std::lock_guard lock(mutex)
#define REFUSE(check)                                                                                                                      \
  if (const CUresult refused = check)                                                                                                      \
  return refused

extern "C" {

CUresult cuInit(unsigned) {
  REFUSE(failure("cuInit"));
  return devices().empty() ? kNoDevice : 0;
}

CUresult cuDriverGetVersion(int *version) {
  *version = std::stoi(setting("VERSION", "13000"));
  return failure("cuDriverGetVersion");
}

CUresult cuDeviceGetCount(int *count) {
  *count = int(devices().size());
  return failure("cuDeviceGetCount");
}

CUresult cuDeviceGet(int *device, int ordinal) {
  *device = ordinal;
  return ordinal < 0 || size_t(ordinal) >= devices().size() ? 101 : 0;
}

CUresult cuDeviceGetAttribute(int *value, int attribute, int device) {
  REFUSE(failure("cuDeviceGetAttribute"));
  const int level = devices().at(size_t(device));
  switch (attribute) {
  case nf::cuda::kCapabilityMajor: *value = level / 10; return 0;
  case nf::cuda::kCapabilityMinor: *value = level % 10; return 0;
  case nf::cuda::kSharedBytes: *value = std::stoi(setting("SHARED", "232448")); return 0;
  case nf::cuda::kPageableMemory: *value = 0; return 0;
  }
  return kInvalidValue;
}

CUresult cuDevicePrimaryCtxRetain(CUhandle *context, int device) {
  LOCKED;
  Context *&found = primary[device];
  if (!found)
    found = add_context(device);
  *context = found;
  return 0;
}

CUresult cuCtxCreate_v2(CUhandle *context, unsigned, int device) {
  LOCKED;
  *context = current = add_context(device);
  return 0;
}

CUresult cuCtxDestroy_v2(CUhandle context) {
  LOCKED;
  contexts.erase(static_cast<Context *>(context));
  if (current == context)
    current = nullptr;
  return 0;
}

CUresult cuCtxSetCurrent(CUhandle context) {
  current = static_cast<Context *>(context);
  return 0;
}

CUresult cuCtxGetCurrent(CUhandle *context) {
  *context = current;
  return failure("cuCtxGetCurrent");
}

CUresult cuCtxGetDevice(int *device) {
  LOCKED;
  REFUSE(refusal("cuCtxGetDevice"));
  *device = current->device;
  return 0;
}

CUresult cuCtxGetId(CUhandle context, unsigned long long *id) {
  LOCKED;
  REFUSE(refusal("cuCtxGetId"));
  *id = static_cast<Context *>(context)->id;
  return 0;
}

CUresult cuCtxSynchronize() {
  LOCKED;
  return unsafe_refusal("cuCtxSynchronize");
}

CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes) {
  LOCKED;
  REFUSE(unsafe_refusal("cuMemAlloc"));
  constexpr size_t kAlignment = 256;
  void *made = std::aligned_alloc(kAlignment, (bytes + kAlignment) / kAlignment * kAlignment);
  if (!made)
    return kOutOfMemory;
  *pointer = reinterpret_cast<uintptr_t>(made);
  memory[*pointer] = bytes;
  return 0;
}

CUresult cuMemFree_v2(CUdeviceptr pointer) {
  LOCKED;
  if (!memory.erase(pointer))
    return kInvalidValue;
  std::free(reinterpret_cast<void *>(pointer));
  return 0;
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) {
  LOCKED;
  REFUSE(unsafe_refusal("cuMemcpyHtoD"));
  std::memcpy(reinterpret_cast<void *>(to), from, bytes);
  return 0;
}

CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) {
  LOCKED;
  REFUSE(unsafe_refusal("cuMemcpyDtoH"));
  std::memcpy(to, reinterpret_cast<const void *>(from), bytes);
  return 0;
}

CUresult cuPointerGetAttribute(void *value, int attribute, CUdeviceptr pointer) {
  LOCKED;
  if (attribute != nf::cuda::kPointerMemoryType || !on_device(reinterpret_cast<const void *>(pointer)))
    return kInvalidValue;
  constexpr int kDeviceMemory = 2;
  std::memcpy(value, &kDeviceMemory, sizeof kDeviceMemory);
  return 0;
}

CUresult cuStreamCreate(CUhandle *stream, unsigned) {
  LOCKED;
  REFUSE(refusal("cuStreamCreate"));
  *stream = *streams.insert(new Stream{current}).first;
  return 0;
}

CUresult cuStreamDestroy_v2(CUhandle stream) {
  LOCKED;
  return streams.erase(static_cast<Stream *>(stream)) ? 0 : kInvalidHandle;
}

CUresult cuStreamGetCtx(CUhandle stream, CUhandle *context) {
  LOCKED;
  if (!streams.contains(static_cast<Stream *>(stream)))
    return kInvalidHandle;
  *context = static_cast<Stream *>(stream)->context;
  return 0;
}

CUresult cuStreamBeginCapture_v2(CUhandle stream, int) {
  LOCKED;
  static_cast<Stream *>(stream)->capture = new std::vector<Enqueued>;
  ++captures;
  return 0;
}

CUresult cuStreamEndCapture(CUhandle stream, CUhandle *graph) {
  LOCKED;
  *graph = std::exchange(static_cast<Stream *>(stream)->capture, nullptr);
  --captures;
  return 0;
}

CUresult cuThreadExchangeStreamCaptureMode(int *mode) {
  std::swap(*mode, capture_mode);
  return 0;
}

CUresult cuGraphInstantiateWithFlags(CUhandle *executable, CUhandle graph, unsigned long long) {
  *executable = graph;
  return 0;
}

CUresult cuGraphLaunch(CUhandle executable, CUhandle) {
  LOCKED;
  REFUSE(refusal("cuGraphLaunch"));
  for (const Enqueued &launch : *static_cast<std::vector<Enqueued> *>(executable))
    run(launch);
  return current->error;
}

CUresult cuModuleLoadData(CUhandle *module, const void *image) {
  LOCKED;
  REFUSE(unsafe_refusal("cuModuleLoadData"));
  const char *bytes = static_cast<const char *>(image);
  const auto kernel = kernel_of_image(bytes);
  const char *kind = is_cubin(bytes) ? "cubin" : "ptx";
  if (!kernel)
    return kNoBinary;
  const int level = devices().at(size_t(current->device)), code = kernel->target->level;
  if (is_cubin(bytes) && (code / 10 != level / 10 || code > level))
    return kNoBinary;
  if (code > level)
    return kInvalidPtx;
  events.push_back(std::string("load ") + kind + " " + std::string(kernel->target->name));
  *module = new Module{current, kernel};
  return 0;
}

CUresult cuModuleUnload(CUhandle) {
  LOCKED;
  events.push_back("unload");
  return 0;
}

CUresult cuModuleGetFunction(CUhandle *function, CUhandle handle, const char *name) {
  LOCKED;
  REFUSE(refusal("cuModuleGetFunction"));
  Module *module = static_cast<Module *>(handle);
  const std::vector<Step> &steps = module->kernel->device.steps;
  for (size_t s = 0; s < steps.size(); ++s)
    if (steps[s].symbol == name) {
      *function = new Function{module, s};
      return 0;
    }
  return kNotFound;
}

CUresult cuFuncSetAttribute(CUhandle function, int attribute, int value) {
  LOCKED;
  if (attribute != nf::cuda::kFunctionSharedBytes || value > std::stoi(setting("SHARED", "232448")))
    return kInvalidValue;
  static_cast<Function *>(function)->shared_bytes = value;
  return 0;
}

/// Parameters are begin, end and the entries of nf_kernel_args that the kernel has.
CUresult cuLaunchKernel(CUhandle handle, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                        unsigned block_z, unsigned shared_bytes, CUhandle stream_handle, void **parameters, void **extra) {
  LOCKED;
  REFUSE(refusal("cuLaunchKernel"));
  Function *function = static_cast<Function *>(handle);
  Stream *stream = static_cast<Stream *>(stream_handle);
  if (function->module->context != current || (stream && (!streams.contains(stream) || stream->context != current)))
    return kInvalidHandle;
  const Launch &shape = function->module->kernel->device.steps[function->step].launch;
  if (int(block_x) != shape.threads || int(block_y) != shape.rows || block_z != 1 || grid_x == 0 || grid_y != 1 || grid_z != 1 || extra ||
      shared_bytes != shape.shared_bytes || shape.shared_bytes > function->shared_bytes)
    return kInvalidValue;
  Enqueued launch{.function = function, .args = {}};
  std::memcpy(&launch.begin, parameters[0], sizeof launch.begin);
  std::memcpy(&launch.end, parameters[1], sizeof launch.end);
  for (size_t p = 0; p < shape.parameters.size(); ++p)
    std::memcpy(reinterpret_cast<char *>(&launch.args) + shape.parameters[p], parameters[p + 2], 8);
  launch.end = std::min(launch.end, launch.begin + int64_t(grid_x) * shape.rows); // what so many blocks do
  if (stream && stream->capture) {
    stream->capture->push_back(launch);
    return 0;
  }
  events.push_back("launch " + std::to_string(grid_x) + " blocks of " + std::to_string(block_x) + "x" + std::to_string(block_y));
  run(launch);
  return 0;
}

// An event is the time at which it was recorded.
using Time = std::chrono::steady_clock::time_point;

CUresult cuEventCreate(CUhandle *event, unsigned) {
  *event = new Time;
  return 0;
}
CUresult cuEventDestroy_v2(CUhandle event) {
  delete static_cast<Time *>(event);
  return 0;
}
CUresult cuEventRecord(CUhandle event, CUhandle) {
  LOCKED;
  *static_cast<Time *>(event) = std::chrono::steady_clock::now();
  return refusal("cuEventRecord");
}
CUresult cuEventSynchronize(CUhandle) {
  LOCKED;
  return unsafe_refusal("cuEventSynchronize");
}
CUresult cuEventElapsedTime(float *milliseconds, CUhandle begin, CUhandle end) {
  *milliseconds = std::chrono::duration<float, std::milli>(*static_cast<Time *>(end) - *static_cast<Time *>(begin)).count();
  return 0;
}
}
