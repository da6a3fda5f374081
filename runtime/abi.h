/* What generated kernels and the runtime agree on. C11. A kernel is plain code: it takes its arguments, does items [begin, end) of one
 * step, and calls nothing; on a GPU the driver starts it. Everything that a call must be checked for, dispatched by, or split over threads
 * by is data: here for kernels, in description.h for what a caller sees. */
#ifndef NORMFORGE_RUNTIME_ABI_H
#define NORMFORGE_RUNTIME_ABI_H

#include "runtime/description.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { NF_MAX_BUFFERS = 8 };

/* Arguments of a kernel. "axis" and "tensor" are indices in the function's lists (before axes are collapsed); a kernel multiplies the parts
 * of a collapsed axis itself. Only the entries that the function has are set. An output may be exactly the memory of an input where
 * nf_tensor.in_place says so; nothing else that is written overlaps anything. */
typedef struct nf_kernel_args {
  void *tensors[NF_MAX_TENSORS]; /* null: absent input or unwanted output */
  int64_t extents[NF_MAX_AXES];  /* all above 0 */
  int64_t strides[NF_MAX_TENSORS]
                 [NF_MAX_AXES]; /* by axis, in elements; the dense one for an axis of extent 1; 0 where the tensor lacks the axis */
  double scalars[NF_MAX_SCALARS];
  void *buffers[NF_MAX_BUFFERS]; /* workspace, 64-byte aligned, in the kernel's order */
} nf_kernel_args;

typedef void (*nf_kernel_fn)(const nf_kernel_args *args, int64_t begin, int64_t end);

/* A number that depends on extents: product over the axes in `outer`, times ceil(product over the axes in `tiled` / tile), times `times`.
 * Masks of axes; an empty product is 1. tile and times > 0. */
typedef struct nf_count {
  uint64_t outer, tiled;
  int64_t tile, times;
} nf_count;

typedef struct nf_buffer {
  nf_count count;
  int64_t bytes; /* of one */
} nf_buffer;

/* How a GPU starts a step: blocks of `threads` by `rows` threads with `shared_bytes` of dynamic shared memory; item begin + i is done by
 * row i mod `rows` of block i / rows, or of the `cluster` blocks that stand in that block's place. A grid has as many as the items want or,
 * where `resident` is not 0, at most that many blocks per multiprocessor, which go on to the items a whole grid further. The parameters are
 * begin and end (int64_t), then the 8-byte entries of nf_kernel_args at these offsets. */
typedef struct nf_launch {
  const char *symbol; /* in the kernel's code */
  int32_t threads, rows, cluster, resident;
  int64_t shared_bytes;
  int32_t parameters;
  const int32_t *parameter;
} nf_launch;

/* Steps run in order, each when the one before has ended; the items of one run in any order and on any thread, and their results don't
 * depend on it. */
typedef struct nf_step {
  nf_kernel_fn run; /* null: a GPU's, see `launch` */
  nf_count items;
  int64_t item_bytes; /* that an item moves; 0: the step moves the tensors of the call, evenly over its items */
  const nf_launch *launch;
} nf_step;

/* Code of a GPU kernel. `cubin` is machine code for devices of its compute capability or a higher one of the same major number; null: there
 * is none. `ptx`, text, is what the driver compiles for any device of its capability or a higher one. */
typedef struct nf_device_code {
  const char *cubin, *ptx;
  uint64_t hash; /* of both: equal code is loaded once */
} nf_device_code;

typedef struct nf_range {
  int64_t lo, hi; /* both within */
} nf_range;

/* One compiled kernel and the calls that it may serve: the machine has `level`, and as much shared memory as the kernel's launches want;
 * every tensor in `needs` is there and none that is not in `takes`; each of `dense` is packed in memory order, and of each of `rows` the
 * innermost axis is contiguous (a tensor that is absent is both; `rows` includes `dense`); each of `in_place` is the memory of an input;
 * all extents are in range. Every kernel is right in place, too. Kernels of a function stand best first. */
typedef struct nf_kernel {
  int32_t level; /* x86: 2, 3, 4; GPUs: ten times the compute capability */
  nf_origin origin;
  uint64_t needs, takes;
  uint64_t dense, rows;
  uint64_t in_place;
  nf_range ranges[NF_MAX_AXES];
  int32_t steps, buffers;
  const nf_step *step;
  const nf_buffer *buffer;
  const nf_device_code *code; /* of a GPU's kernel; else null */
  int64_t grain_bytes;        /* least work for a thread; 0: never split */
  const char *problem;        /* text of the problem that it was compiled for */
  const char *schedule;       /* text */
} nf_kernel;

#ifdef __cplusplus
}
#endif
#endif
