// A kernel's code in a context: loaded by the first call that wants it, and found again without a lock by those that follow. What is kept
// is a few words for each kernel and context; it stays for as long as the process, and is never found again once its context is gone.
#include <pthread.h>
#include <stdlib.h>

#include "runtime/cuda_driver.h"

namespace {

using namespace nf::cuda;

struct Loaded {
  uint64_t code, context;
  const Loaded *next;
  Handle functions[]; ///< by step
};

constexpr size_t kBuckets = 256;
constexpr int64_t kPlainSharedBytes = 48 << 10; ///< that every kernel may have; more must be asked for,
constexpr int32_t kPlainCluster = 8;            ///< as more blocks of a cluster must be, which not every GPU has
const Loaded *buckets[kBuckets];                ///< newest first
pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

const Loaded *find(const Loaded *const *bucket, uint64_t code, uint64_t context) {
  const Loaded *at = __atomic_load_n(bucket, __ATOMIC_ACQUIRE);
  while (at && (at->code != code || at->context != context))
    at = at->next;
  return at;
}

/// The code that fits the device best and that the driver takes. A driver that is older than the assembler may refuse machine code.
Result load_module(const Driver *driver, const nf_kernel *kernel, int32_t level, Handle *module) {
  if (kernel->code->cubin && kernel->level / 10 == level / 10 && !driver->load_module(module, kernel->code->cubin))
    return 0;
  return driver->load_module(module, kernel->code->ptx);
}

Result find_functions(const Driver *driver, const nf_kernel *kernel, Handle module, Handle *functions) {
  for (int s = 0; s < kernel->steps; ++s) {
    const nf_launch *launch = kernel->step[s].launch;
    if (const Result result = driver->module_function(&functions[s], module, launch->symbol))
      return result;
    if (launch->shared_bytes > kPlainSharedBytes)
      if (const Result result = driver->set_function_attribute(functions[s], kFunctionSharedBytes, int(launch->shared_bytes)))
        return result;
    if (launch->cluster > kPlainCluster)
      if (const Result result = driver->set_function_attribute(functions[s], kFunctionWideCluster, 1))
        return result;
  }
  return 0;
}

Result load(const Driver *driver, const Context *context, const nf_kernel *kernel, Loaded **loaded) {
  *loaded = static_cast<Loaded *>(malloc(sizeof(Loaded) + size_t(kernel->steps) * sizeof(Handle)));
  if (!*loaded)
    return kOutOfMemory;
  (*loaded)->code = kernel->code->hash;
  (*loaded)->context = context->id;
  Handle module = nullptr;
  int mode = kCaptureRelaxed; // a stream of this thread that is being captured is no reason to refuse to load
  driver->exchange_capture_mode(&mode);
  Result result = load_module(driver, kernel, context->machine.level, &module);
  if (!result)
    result = find_functions(driver, kernel, module, (*loaded)->functions);
  if (result && module)
    driver->unload_module(module);
  driver->exchange_capture_mode(&mode);
  if (result)
    free(*loaded);
  return result;
}

} // namespace

extern "C" nf_status nf_cuda_load(const Driver *driver, const Context *context, const nf_kernel *kernel, const Handle **functions) {
  const uint64_t code = kernel->code->hash;
  const Loaded **bucket = &buckets[(code + context->id) % kBuckets];
  const Loaded *found = find(bucket, code, context->id);
  if (!found) {
    pthread_mutex_lock(&loading);
    found = find(bucket, code, context->id); // another thread may have been first
    Loaded *loaded;
    const Result result = found ? 0 : load(driver, context, kernel, &loaded);
    if (!found && !result) {
      loaded->next = *bucket;
      __atomic_store_n(bucket, loaded, __ATOMIC_RELEASE);
      found = loaded;
    }
    pthread_mutex_unlock(&loading);
    if (result)
      return nf_cuda_status(result);
  }
  *functions = found->functions;
  return NF_OK;
}
