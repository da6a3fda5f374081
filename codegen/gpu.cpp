#include "codegen/gpu.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <memory>
#include <utility>

#include "runtime/cuda.h"
#include "runtime/cuda_driver.h"

namespace normforge {
namespace {

using nf::cuda::Handle;
using nf::cuda::Result;

/// What is asked of the driver beside what the runtime asks.
struct Driver {
  Result (*device_name)(char *name, int bytes, int device);
  Result (*retain_context)(Handle *, int device);
  Result (*set_context)(Handle);
  Result (*synchronize)();
  Result (*allocate)(uint64_t *, size_t bytes);
  Result (*free)(uint64_t);
  Result (*copy_in)(uint64_t to, const void *from, size_t bytes);
  Result (*copy_out)(void *to, uint64_t from, size_t bytes);
  Result (*copy)(uint64_t to, uint64_t from, size_t bytes, Handle stream);
  Result (*fill)(uint64_t to, unsigned char byte, size_t bytes, Handle stream);
  Result (*create_event)(Handle *, unsigned flags);
  Result (*destroy_event)(Handle);
  Result (*record_event)(Handle, Handle stream);
  Result (*record_event_node)(Handle, Handle stream, unsigned flags);
  Result (*wait_event)(Handle);
  Result (*elapsed)(float *milliseconds, Handle begin, Handle end);
  Result (*create_stream)(Handle *, unsigned flags);
  Result (*destroy_stream)(Handle);
  Result (*begin_capture)(Handle stream, int mode);
  Result (*end_capture)(Handle stream, Handle *graph);
  Result (*instantiate)(Handle *executable, Handle graph, unsigned long long flags);
  Result (*launch_graph)(Handle executable, Handle stream);
  Result (*destroy_graph)(Handle);
  Result (*destroy_executable)(Handle);
};
constexpr const char *kNames[] = {
    "cuDeviceGetName",
    "cuDevicePrimaryCtxRetain",
    "cuCtxSetCurrent",
    "cuCtxSynchronize",
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemcpyHtoD_v2",
    "cuMemcpyDtoH_v2",
    "cuMemcpyDtoDAsync_v2",
    "cuMemsetD8Async",
    "cuEventCreate",
    "cuEventDestroy_v2",
    "cuEventRecord",
    "cuEventRecordWithFlags",
    "cuEventSynchronize",
    "cuEventElapsedTime",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamBeginCapture_v2",
    "cuStreamEndCapture",
    "cuGraphInstantiateWithFlags",
    "cuGraphLaunch",
    "cuGraphDestroy",
    "cuGraphExecDestroy",
};
static_assert(sizeof kNames / sizeof *kNames == sizeof(Driver) / sizeof(void *));

constexpr int kClockKilohertz = 13, kL2Bytes = 38; ///< CU_DEVICE_ATTRIBUTE_…
constexpr unsigned kNonBlocking = 1;               ///< CU_STREAM_NON_BLOCKING: what others do on the default stream doesn't end a capture
constexpr unsigned kExternal = 1;                  ///< CU_EVENT_RECORD_EXTERNAL: a node of the graph
constexpr int64_t kMostInGraph = 256;              ///< calls

const Driver &driver() {
  static const Driver driver = [] {
    Driver found{};
    for (size_t i = 0; i < std::size(kNames); ++i) {
      void *entry = nf_cuda_symbol(kNames[i]);
      if (!entry)
        throw NoGpu(std::string("the driver lacks ") + kNames[i] + "; install a newer one");
      std::memcpy(reinterpret_cast<char *>(&found) + i * sizeof entry, &entry, sizeof entry);
    }
    return found;
  }();
  return driver;
}

/// "error 218, a PTX JIT compilation failed": the driver's own words, if it has some.
std::string error_text(Result result) {
  const char *text = nullptr;
  if (const auto ask = reinterpret_cast<Result (*)(Result, const char **)>(nf_cuda_symbol("cuGetErrorString")); ask && ask(result, &text))
    text = nullptr;
  return "error " + std::to_string(result) + (text ? std::string(", ") + text : "");
}

template <class Error = GpuFault> void check(Result result, const char *what) {
  if (result)
    throw Error(std::string(what) + ": the CUDA driver reports " + error_text(result));
}

/// The runtime's driver, once the GPU of that number is known to be there.
const nf::cuda::Driver &open_device(int device) {
  const nf::cuda::Driver *runtime;
  if (const nf_status status = nf_cuda_driver(&runtime); status != NF_OK)
    throw NoGpu(text_of_driver_status(status));
  int count = 0;
  check<UserError>(runtime->device_count(&count), "cuda");
  if (device >= count)
    throw UserError("cuda:" + std::to_string(device) +
                    (count == 1 ? ": GPU 0 is the only one of this machine" : ": this machine has GPUs 0 to " + std::to_string(count - 1)));
  return *runtime;
}

std::string version_text(int capability) { return std::to_string(capability / 10) + "." + std::to_string(capability % 10); }

} // namespace

std::string text_of_driver_status(int32_t status) {
  const std::string text = nf_status_string(status);
  const Result error = nf_cuda_error();
  if (status == NF_NO_DRIVER)
    return text + ": " + nf_cuda_load_error();
  if (status == NF_DRIVER_ERROR)
    return "the CUDA driver reports " + error_text(error);
  return status == NF_OLD_DRIVER && error ? text + " (" + error_text(error) + ")" : text;
}

GpuFacts gpu_facts(int device) {
  const nf::cuda::Driver &runtime = open_device(device);
  const auto attribute = [&](int which) {
    int value = 0;
    check<UserError>(runtime.device_attribute(&value, which, device), "cuda");
    return value;
  };
  GpuFacts facts;
  char name[256] = {};
  check<UserError>(driver().device_name(name, sizeof name - 1, device), "cuda");
  facts.name = name;
  facts.capability = 10 * attribute(nf::cuda::kCapabilityMajor) + attribute(nf::cuda::kCapabilityMinor);
  facts.l2_bytes = attribute(kL2Bytes);
  facts.multiprocessors = attribute(nf::cuda::kMultiprocessors);
  facts.clock_mhz = attribute(kClockKilohertz) / 1000;
  check<UserError>(runtime.driver_version(&facts.driver), "cuda");
  return facts;
}

const Target &gpu_target(int device) {
  const int level = gpu_facts(device).capability;
  const Target *best = nullptr;
  int least = INT_MAX;
  for (const Target &target : targets())
    if (target.gpu()) {
      least = std::min(least, target.level);
      if (target.level <= level && (!best || target.level > best->level))
        best = &target;
    }
  if (!best)
    throw UserError("cuda:" + std::to_string(device) + ": its compute capability is " + version_text(level) + ", expected " +
                    version_text(least) + " or later");
  return *best;
}

void use_gpu(int device) {
  open_device(device);
  Handle context;
  check<UserError>(driver().retain_context(&context, device), "cuda");
  check<UserError>(driver().set_context(context), "cuda");
}

void wait_for_gpu() { check(driver().synchronize(), "running on the GPU"); }

GpuMemory::GpuMemory(size_t bytes) {
  check<UserError>(driver().allocate(&start, std::max<size_t>(bytes, 1)),
                   ("memory on the GPU, " + std::to_string(bytes) + " bytes").c_str());
}
GpuMemory::GpuMemory(GpuMemory &&other) noexcept : start(std::exchange(other.start, 0)) {}
GpuMemory &GpuMemory::operator=(GpuMemory &&other) noexcept {
  std::swap(start, other.start);
  return *this;
}
GpuMemory::~GpuMemory() {
  if (start)
    driver().free(start);
}

void copy_to_gpu(uint64_t to, const void *from, size_t bytes) { check(driver().copy_in(to, from, bytes), "copying to the GPU"); }
void copy_from_gpu(void *to, uint64_t from, size_t bytes) { check(driver().copy_out(to, from, bytes), "copying from the GPU"); }
void copy_on_gpu(uint64_t to, uint64_t from, size_t bytes) { check(driver().copy(to, from, bytes, nullptr), "copying on the GPU"); }
void fill_on_gpu(uint64_t to, unsigned char byte, size_t bytes) {
  check(driver().fill(to, byte, bytes, nullptr), "filling memory of the GPU");
}

GpuTimer::GpuTimer() {
  check(driver().create_event(&first, 0), "timing");
  check(driver().create_event(&last, 0), "timing");
  check(driver().create_stream(&stream, kNonBlocking), "timing");
}
GpuTimer::~GpuTimer() {
  driver().destroy_event(first);
  driver().destroy_event(last);
  driver().destroy_stream(stream);
}

/// The calls between the events as a graph that can be started; null: the driver does not record it.
void *GpuTimer::record(const std::function<void(void *)> &enqueue) {
  if (driver().begin_capture(stream, nf::cuda::kCaptureRelaxed))
    return nullptr;
  bool recorded = driver().record_event_node(first, stream, kExternal) == 0;
  try {
    if (recorded)
      enqueue(stream);
  } catch (const UserError &) { // launched on its own it says what is wrong
    recorded = false;
  }
  recorded = recorded && driver().record_event_node(last, stream, kExternal) == 0;
  Handle graph = nullptr, executable = nullptr;
  if (driver().end_capture(stream, &graph)) // whatever came before, the capture has to end
    return nullptr;
  if (recorded && driver().instantiate(&executable, graph, 0))
    executable = nullptr;
  driver().destroy_graph(graph);
  return executable;
}

double GpuTimer::stretch(const std::function<void(void *)> &enqueue) {
  const std::unique_ptr<void, void (*)(Handle)> graph(recording ? record(enqueue) : nullptr,
                                                      [](Handle executable) { driver().destroy_executable(executable); });
  recording = graph != nullptr;
  if (graph) {
    check(driver().launch_graph(graph.get(), nullptr), "running on the GPU");
  } else {
    check(driver().record_event(first, nullptr), "timing");
    enqueue(nullptr);
    check(driver().record_event(last, nullptr), "timing");
  }
  float milliseconds = 0;
  check(driver().wait_event(last), "running on the GPU");
  check(driver().elapsed(&milliseconds, first, last), "timing");
  return double(milliseconds) * 1e-3;
}

double GpuTimer::seconds(int64_t calls, const std::function<void(int64_t, void *)> &enqueue) {
  double seconds = 0;
  for (int64_t begin = 0; begin < calls; begin += kMostInGraph)
    seconds += stretch([&](void *stream) {
      for (int64_t i = begin; i < std::min(calls, begin + kMostInGraph); ++i)
        enqueue(i, stream);
    });
  return seconds;
}

} // namespace normforge
