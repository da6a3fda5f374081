// The context that is current on a thread. What its device is like is asked of the driver once for each context, so that a call asks for
// the context alone.
#include <stdlib.h>

#include "runtime/cuda_driver.h"

namespace {

using namespace nf::cuda;

constexpr uintptr_t kFirstStream = 3; ///< handles below it stand for default streams of the current context

struct Known {
  Context context;
  const Known *next;
};
const Known *known = nullptr; ///< newest first; they stay, since their ids never come again

const Context *find(uint64_t id) {
  const Known *at = __atomic_load_n(&known, __ATOMIC_ACQUIRE);
  while (at && at->context.id != id)
    at = at->next;
  return at ? &at->context : nullptr;
}

/// Best effort: without memory the driver is asked again.
void keep(const Context &context) {
  Known *made = static_cast<Known *>(malloc(sizeof(Known)));
  if (!made)
    return;
  made->context = context;
  made->next = __atomic_load_n(&known, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(&known, &made->next, made, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
  }
}

Result ask(const Driver *driver, Context *context) {
  if (const Result result = driver->context_device(&context->device))
    return result;
  int values[4];
  constexpr DeviceAttribute kAttributes[] = {kCapabilityMajor, kCapabilityMinor, kSharedBytes, kMultiprocessors};
  for (int i = 0; i < 4; ++i)
    if (const Result result = driver->device_attribute(&values[i], kAttributes[i], context->device))
      return result;
  context->multiprocessors = values[3];
  context->machine = {10 * values[0] + values[1], true, values[2]};
  return 0;
}

} // namespace

extern "C" nf_status nf_cuda_context(const Driver *driver, Handle stream, Context *context) {
  Handle current = nullptr, of_stream = nullptr;
  if (const Result result = driver->current_context(&current))
    return nf_cuda_status(result);
  if (!current)
    return NF_NO_CONTEXT;
  if (reinterpret_cast<uintptr_t>(stream) >= kFirstStream) {
    const Result result = driver->stream_context(stream, &of_stream);
    if (result == kInvalidHandle || result == kInvalidContext || result == kContextDestroyed || (!result && of_stream != current))
      return NF_OTHER_CONTEXT;
  }
  unsigned long long id = 0;
  if (const Result result = driver->context_id(current, &id))
    return nf_cuda_status(result);
  if (const Context *found = find(id)) {
    *context = *found;
    return NF_OK;
  }
  context->id = id;
  if (const Result result = ask(driver, context))
    return nf_cuda_status(result);
  keep(*context);
  return NF_OK;
}
