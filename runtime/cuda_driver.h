// The driver's entry points that the runtime uses, found when first wanted (cuda_driver.cpp), and a context's facts (cuda_context.cpp). The
// declarations are the driver API's, whose binary interface is stable, so that no toolkit is needed to build; handles are plain pointers
// here.
#pragma once

#include "runtime/call.h"

namespace nf::cuda {

using Result = int;    ///< CUresult
using Handle = void *; ///< CUcontext, CUstream, CUmodule, CUfunction
constexpr Result kInvalidValue = 1, kOutOfMemory = 2, kLinkTimeLibrary = 34, kNoDevice = 100, kInvalidContext = 201, kUnsupportedPtx = 222,
                 kInvalidHandle = 400, kContextDestroyed = 709, kDriverMismatch = 803, kNoForwardCompatibility = 804;

enum DeviceAttribute { kMultiprocessors = 16, kCapabilityMajor = 75, kCapabilityMinor = 76, kPageableMemory = 88, kSharedBytes = 97 };
constexpr int kFunctionSharedBytes = 8;  ///< CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
constexpr int kFunctionWideCluster = 14; ///< CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED
constexpr int kPointerMemoryType = 2;    ///< CU_POINTER_ATTRIBUTE_MEMORY_TYPE
constexpr int kCaptureRelaxed = 2;       ///< CU_STREAM_CAPTURE_MODE_RELAXED

/// By the names in cuda_driver.cpp, in their order.
struct Driver {
  Result (*init)(unsigned flags);
  Result (*driver_version)(int *version);
  Result (*device_count)(int *count);
  Result (*device_attribute)(int *value, int attribute, int device);
  Result (*current_context)(Handle *context);
  Result (*context_device)(int *device);
  Result (*context_id)(Handle context, unsigned long long *id);
  Result (*stream_context)(Handle stream, Handle *context);
  Result (*pointer_attribute)(void *value, int attribute, uint64_t pointer);
  Result (*exchange_capture_mode)(int *mode);
  Result (*load_module)(Handle *module, const void *image);
  Result (*unload_module)(Handle module);
  Result (*module_function)(Handle *function, Handle module, const char *name);
  Result (*set_function_attribute)(Handle function, int attribute, int value);
  Result (*launch)(Handle function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
                   unsigned shared_bytes, Handle stream, void **parameters, void **extra);
};

/// The context that is current on this thread.
struct Context {
  uint64_t id; ///< no other context of the process ever has it, though its handle may come again
  int device;
  int multiprocessors;
  Machine machine;
};

} // namespace nf::cuda

extern "C" {

/// The driver, ready for use; or why there is none, found out once.
nf_status nf_cuda_driver(const nf::cuda::Driver **driver);

/// Why the driver's library does not load, once nf_cuda_driver() has returned NF_NO_DRIVER.
const char *nf_cuda_load_error(void);

/// An entry point of the driver's library by its name; null where there is no driver, or it lacks it.
void *nf_cuda_symbol(const char *name);

/// The current context, which must be the stream's.
nf_status nf_cuda_context(const nf::cuda::Driver *driver, nf::cuda::Handle stream, nf::cuda::Context *context);

/// The functions of the kernel's steps in the current context; loads its code there when it is first wanted.
nf_status nf_cuda_load(const nf::cuda::Driver *driver, const nf::cuda::Context *context, const nf_kernel *kernel,
                       const nf::cuda::Handle **functions);

/// NF_OK for 0; else keeps `result` for nf_cuda_error() and returns the status that says most of it.
nf_status nf_cuda_status(nf::cuda::Result result);
}
