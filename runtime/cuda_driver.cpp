// Finds the driver once. Nothing links against it, so that a program with GPU kernels starts on a machine that has no driver.
#include "runtime/cuda_driver.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "runtime/cuda.h"

namespace {

using namespace nf::cuda;

constexpr int kOldestDriver = 12000; ///< knows context ids, and the PTX of every target

constexpr const char *kNames[] = {
    "cuInit",           "cuDriverGetVersion", "cuDeviceGetCount",    "cuDeviceGetAttribute",  "cuCtxGetCurrent",
    "cuCtxGetDevice",   "cuCtxGetId",         "cuStreamGetCtx",      "cuPointerGetAttribute", "cuThreadExchangeStreamCaptureMode",
    "cuModuleLoadData", "cuModuleUnload",     "cuModuleGetFunction", "cuFuncSetAttribute",    "cuLaunchKernel",
};
static_assert(sizeof kNames / sizeof *kNames == sizeof(Driver) / sizeof(void *));

/// Results that have a status of their own.
struct Meaning {
  Result result;
  nf_status status;
};
constexpr Meaning kMeanings[] = {
    {0, NF_OK},
    {kLinkTimeLibrary, NF_NO_DRIVER}, // what the toolkit has to link against, in the driver's place
    {kNoDevice, NF_NO_DEVICE},
    {kInvalidContext, NF_NO_CONTEXT},
    {kUnsupportedPtx, NF_OLD_DRIVER},
    {kDriverMismatch, NF_OLD_DRIVER}, // the kernel's part of the driver is another version's
    {kNoForwardCompatibility, NF_OLD_DRIVER},
};

pthread_once_t once = PTHREAD_ONCE_INIT;
void *library = nullptr;
nf_status found = NF_NO_DRIVER;
Driver driver_found;
Result last_error = 0;
char load_error[160] = "libcuda.so.1 is the one that the CUDA toolkit has to link against";

nf_status find_driver() {
  library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    if (const char *said = dlerror())
      snprintf(load_error, sizeof load_error, "%s", said);
    return NF_NO_DRIVER;
  }
  for (size_t i = 0; i < sizeof kNames / sizeof *kNames; ++i) {
    void *entry = dlsym(library, kNames[i]);
    if (!entry)
      return NF_OLD_DRIVER;
    memcpy(reinterpret_cast<char *>(&driver_found) + i * sizeof entry, &entry, sizeof entry);
  }
  int version = 0, devices = 0;
  if (const Result result = driver_found.driver_version(&version))
    return nf_cuda_status(result);
  if (version < kOldestDriver)
    return NF_OLD_DRIVER;
  if (const Result result = driver_found.init(0))
    return nf_cuda_status(result);
  if (const Result result = driver_found.device_count(&devices))
    return nf_cuda_status(result);
  return devices > 0 ? NF_OK : NF_NO_DEVICE;
}

} // namespace

extern "C" nf_status nf_cuda_status(Result result) {
  if (result)
    __atomic_store_n(&last_error, result, __ATOMIC_RELAXED);
  for (const Meaning &meaning : kMeanings)
    if (meaning.result == result)
      return meaning.status;
  return NF_DRIVER_ERROR;
}

extern "C" int32_t nf_cuda_error(void) { return __atomic_load_n(&last_error, __ATOMIC_RELAXED); }

extern "C" nf_status nf_cuda_driver(const Driver **driver) {
  pthread_once(&once, [] { found = find_driver(); });
  *driver = &driver_found;
  return found;
}

extern "C" const char *nf_cuda_load_error(void) { return load_error; }

extern "C" void *nf_cuda_symbol(const char *name) {
  const Driver *driver;
  nf_cuda_driver(&driver);
  return library ? dlsym(library, name) : nullptr;
}
