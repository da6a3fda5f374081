/* Calling a library's functions on an NVIDIA GPU. C11; part of the header of a library that has code for one, with the library's prefix.
 *
 * The same args struct as on the CPU, with device pointers in it. A call enqueues kernels on the caller's stream and returns: it waits for
 * nothing and allocates nothing, so that a stream capture (CUDA graph) takes it up. It serves the context that is current on the calling
 * thread; the first call that needs a kernel in a context loads its code there, which takes milliseconds, and minutes at worst where the
 * driver must compile it. Calls may come from several threads, and for several contexts and devices, at once.
 *
 * The driver's library is looked for by the first call: a program links and starts without one. */
#ifndef NORMFORGE_RUNTIME_CUDA_H
#define NORMFORGE_RUNTIME_CUDA_H

#include "runtime/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How to run a call on a GPU. All zeros, or a null pointer in place of it, means the default stream and no workspace. */
typedef struct nf_cuda_options {
  void *stream;    /**< a CUstream or cudaStream_t of the current context; null: its default stream */
  void *workspace; /**< device memory that is the call's alone until it has run, any alignment; null: none */
  int64_t workspace_bytes;
} nf_cuda_options;

/** Enqueues `function`, one of nf_library.cuda_function, with `args`. What the GPU finds out later, such as a pointer that it cannot reach
 * (a host pointer, unless it is pinned or the system shares its page tables), is an error of the stream, as with any kernel. With an extent
 * of 0 nothing is enqueued. */
nf_status nf_cuda_call(const nf_function *function, const void *args, const nf_cuda_options *options);

/** The workspace, in bytes, that the best kernel for this call on the current context's device wants; 0: none. */
nf_status nf_cuda_workspace_bytes(const nf_function *function, const void *args, int64_t *bytes);

/** What nf_cuda_call() would do, and its status; enqueues nothing. Also asks the driver of each pointer whether the GPU can reach it:
 * NF_HOST_POINTER. */
nf_status nf_cuda_which(const nf_function *function, const void *args, const nf_cuda_options *options, nf_choice *choice);

/** Ten times the compute capability of the current context's device (90 for 9.0), or the status that says what is missing. */
nf_status nf_cuda_capability(int32_t *capability);

/** What the driver said (a CUresult) when a call of any thread last returned NF_DRIVER_ERROR, NF_OLD_DRIVER or NF_NO_DEVICE; 0: nothing. */
int32_t nf_cuda_error(void);

#ifdef __cplusplus
}
#endif
#endif
