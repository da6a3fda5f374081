/* Calling a library's functions. C11; this text, with the library's own prefix in place of nf_ and NF_, is part of the header that an
 * application includes.
 *
 * A function takes a struct of arguments (extents, pointers, strides, scalars) and options, and returns a status. Nothing is touched unless
 * everything that was said holds. Nothing is allocated, but for the library's threads when they are first wanted. All functions may be
 * called from several threads at once. */
#ifndef NORMFORGE_RUNTIME_RUNTIME_H
#define NORMFORGE_RUNTIME_RUNTIME_H

#include "runtime/description.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nf_status {
  NF_OK,
  NF_NULL_ARGUMENT, /**< the function, the args or the place for an answer is null */
  NF_NULL_TENSOR,   /**< a tensor that has no default is null (but for one without elements) */
  NF_NO_OUTPUT,     /**< every output is null */
  NF_NEGATIVE_EXTENT,
  NF_TOO_LARGE,         /**< extents or strides reach past the address space */
  NF_STRIDE_TOO_SMALL,  /**< |stride| is less than what the axes inside it span, so that elements would overlap */
  NF_SCALAR_DOMAIN,     /**< a scalar is outside the domain that the norm states, or NaN */
  NF_REQUIREMENT,       /**< a requirement of the norm does not hold */
  NF_MISALIGNED,        /**< a pointer is no multiple of its element's size */
  NF_OVERLAP,           /**< an output or the workspace overlaps another tensor, and is not exactly an input that it may be in place of */
  NF_BAD_OPTIONS,       /**< a negative number of threads or bytes */
  NF_LEVEL_UNSUPPORTED, /**< the CPU level that is forced is no level, or this CPU lacks it */
  NF_NO_KERNEL,         /**< no kernel of the library serves this call on this machine */
  NF_WORKSPACE_NEEDED,  /**< every kernel that serves this call wants a workspace, and none or too small a one was given */
  NF_NO_DRIVER,         /**< this machine has no NVIDIA driver */
  NF_OLD_DRIVER,        /**< the driver is older than CUDA 12, or does not know the code */
  NF_NO_DEVICE,         /**< the driver finds no GPU */
  NF_OLD_DEVICE,        /**< the GPU's compute capability is below that of every kernel of the function */
  NF_NO_CONTEXT,        /**< no CUDA context is current on this thread */
  NF_OTHER_CONTEXT,     /**< the stream belongs to another context than the current one, or is none */
  NF_HOST_POINTER,      /**< a tensor or the workspace is memory that the GPU cannot reach */
  NF_SHARED_MEMORY,     /**< every kernel that serves this call wants more shared memory than a block of this GPU may have */
  NF_DRIVER_ERROR       /**< the driver refused for another reason */
} nf_status;

/** One line, lowercase; "unknown status" for a number that is none. */
const char *nf_status_string(int32_t status);

/** Runs task(task_context, i) once for each i in [0, tasks), on any threads, and returns when all have ended. `context` is
 * nf_options.context. */
typedef void (*nf_parallel_for)(void *context, int32_t tasks, void (*task)(void *task_context, int32_t index), void *task_context);

/** How to run a call. All zeros, or a null pointer in place of it, is a good default. No choice here changes a bit of the result. */
typedef struct nf_options {
  int32_t threads;              /**< at most so many; 0: as nf_set_threads() says; 1: on the calling thread alone */
  nf_parallel_for parallel_for; /**< the caller's own threads; null: the library's */
  void *context;                /**< for parallel_for */
  void *workspace;              /**< memory for this call alone, any alignment; null: none */
  int64_t workspace_bytes;
} nf_options;

/** Calls `function` with `args`, the function's args struct. With an extent of 0 nothing is written. */
nf_status nf_call(const nf_function *function, const void *args, const nf_options *options);

/** The workspace, in bytes, that the best kernel for this call wants; 0: none. nf_call() with less takes a kernel that makes do, where
 * there is one. */
nf_status nf_workspace_bytes(const nf_function *function, const void *args, int64_t *bytes);

/** Which kernel serves a call, and why. */
typedef struct nf_choice {
  const char *problem;     /**< that the kernel was compiled for; null when there is no kernel or nothing to do */
  const char *schedule;    /**< that it was compiled by */
  int32_t level;           /**< CPU level of the kernel; a GPU's: ten times its compute capability */
  nf_origin origin;        /**< NF_GENERIC where no kernel of its own fits the call */
  int32_t threads;         /**< that its widest step is split over; 0 on a GPU */
  int64_t workspace_bytes; /**< that it wants */
  char why[256]; /**< "tuned: …", "specialized: …", "generic: no specialized kernel for cols=100; …", or what the call is refused for */
} nf_choice;

/** What nf_call() would do, and its status; touches none of the tensors. */
nf_status nf_which(const nf_function *function, const void *args, const nf_options *options, nf_choice *choice);

/** Most threads of a call that leaves it open, the calling one included; 0: one per CPU that the process may use (the default). At most 256
 * are used. The library's threads are made when first wanted and stay; one call has them at a time, another that comes meanwhile runs on
 * its own thread alone. After fork() the child makes its own. */
nf_status nf_set_threads(int32_t threads);

/** Uses kernels of x86-64-v`level` or lower from now on; 0: whatever this CPU has. NF_LEVEL_UNSUPPORTED, and nothing changes, when this CPU
 * lacks it. The environment variable nf_library.level_variable says the same from outside ("2", "3" or "4"; read once): with anything else
 * in it every call returns that status. */
nf_status nf_force_level(int32_t level);

/** The level in force: 2, 3 or 4; 1 on a CPU with less; 0 when the environment variable asks for one that there is not. */
int32_t nf_level(void);

/** The library and its functions. */
const nf_library *nf_describe(void);

#ifdef __cplusplus
}
#endif
#endif
