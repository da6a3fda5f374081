// Statuses in words; nf_which puts the name of the culprit behind them.
#include "runtime/runtime.h"

namespace {

constexpr const char *kTexts[] = {
    "ok",
    "a required argument of the call is null",
    "a tensor without a default is null",
    "every output is null",
    "an extent is negative",
    "extents or strides reach past the address space",
    "a stride is smaller than what the axes inside it span",
    "a scalar is outside its domain",
    "a requirement of the norm does not hold",
    "a pointer is no multiple of its element's size",
    "an output overlaps other memory of the call, and is not exactly an input that it may be in place of",
    "the options have a negative number of threads or bytes",
    "the CPU level asked for is none, or this CPU lacks it",
    "no kernel of the library serves this call on this machine",
    "this call wants a workspace: none, or too small a one, was given",
    "no driver: the CUDA driver does not load",
    "the driver is too old: it is older than CUDA 12, or does not know the kernel's code",
    "no device: the driver finds no GPU",
    "the GPU is older than any code in this library",
    "no CUDA context is current on this thread",
    "the stream belongs to another context than the current one",
    "memory of the call cannot be reached by the GPU",
    "every kernel that serves this call wants more shared memory than a block of this GPU may have",
    "the CUDA driver reports an error",
};
static_assert(sizeof kTexts / sizeof *kTexts == NF_DRIVER_ERROR + 1);

} // namespace

extern "C" const char *nf_status_string(int32_t status) {
  return status >= NF_OK && status <= NF_DRIVER_ERROR ? kTexts[status] : "unknown status";
}
