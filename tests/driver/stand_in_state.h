// What the stand-in driver's entry points share: contexts, memory, streams and what was asked of them. All is done at once, in the order in
// which it is asked for, but for what a capture takes up.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <set>

#include "runtime/cuda_driver.h"
#include "tests/driver/stand_in.h"
#include "tests/driver/stand_in_kernels.h"

namespace normforge::testing::stand_in {

using nf::cuda::kInvalidContext, nf::cuda::kInvalidHandle, nf::cuda::kInvalidValue, nf::cuda::kNoDevice, nf::cuda::kOutOfMemory;

constexpr CUresult kInvalidPtx = 218, kNoBinary = 209, kNotFound = 500, kIllegalAddress = 700, kCaptureUnsupported = 900,
                   kInvalidCluster = 912, kUnknown = 999;
constexpr int64_t kPlainSharedBytes = 48 << 10;
constexpr int kPlainCluster = 8, kWidestCluster = 16;
constexpr int kMultiprocessors = 3;

using Time = std::chrono::steady_clock::time_point; ///< an event is the time at which it was recorded

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
  int cluster = kPlainCluster; ///< blocks, at most
};
struct Enqueued {
  Function *function;
  nf_kernel_args args;
  int64_t begin, end;
  Time *event = nullptr; ///< to be recorded, instead of a launch
};
struct Stream {
  Context *context;
  std::vector<Enqueued> *capture = nullptr;
};

extern std::recursive_mutex mutex; ///< of all below
extern std::vector<std::string> events;
extern std::map<uintptr_t, size_t> memory; ///< of all devices: bytes by address
extern std::set<Context *> contexts;
extern std::set<Stream *> streams;
extern thread_local Context *current;
extern thread_local int capture_mode; ///< a relaxed thread may allocate while it captures
extern int captures;

/// The environment variable NORMFORGE_STAND_IN_`name`.
std::string setting(const char *name, const char *fallback);

/// Capabilities, by device.
std::vector<int> devices();

/// What an entry point has to say before it does anything.
CUresult failure(const char *entry_point);

/// The same, and a context must be there, in order.
CUresult refusal(const char *entry_point);

/// The same, of what may not happen while a stream is captured.
CUresult unsafe_refusal(const char *entry_point);

bool on_device(const void *pointer);

void run(const Enqueued &launch);

} // namespace normforge::testing::stand_in

#define LOCKED const std::lock_guard lock(mutex)
#define REFUSE(check)                                                                                                                      \
  if (const CUresult refused = check)                                                                                                      \
  return refused
