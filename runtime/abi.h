/* What generated kernels and the runtime agree on. C11, no other header of the project. A kernel is plain code: it takes its arguments, does items [begin, end)
 * of one step, and calls nothing. Everything that a call must be checked for, dispatched by, or split over threads by is data in these tables. */
#ifndef NORMFORGE_RUNTIME_ABI_H
#define NORMFORGE_RUNTIME_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { NF_MAX_AXES = 16, NF_MAX_TENSORS = 32, NF_MAX_SCALARS = 16, NF_MAX_BUFFERS = 8 };

/* Arguments of a kernel. "axis" and "tensor" are indices in the norm's own lists (before axes are collapsed); a kernel multiplies the parts of a
 * collapsed axis itself. */
typedef struct nf_kernel_args {
  void *tensors[NF_MAX_TENSORS];                /* null: absent input or unwanted output */
  int64_t extents[NF_MAX_AXES];
  int64_t strides[NF_MAX_TENSORS][NF_MAX_AXES]; /* in elements; 0 where the tensor lacks the axis */
  double scalars[NF_MAX_SCALARS];
  void *buffers[NF_MAX_BUFFERS];                /* workspace, 64-byte aligned, in the kernel's order */
} nf_kernel_args;

typedef void (*nf_kernel_fn)(const nf_kernel_args *args, int64_t begin, int64_t end);

/* A number that depends on extents: product over the axes in `outer`, times ceil(product over the axes in `tiled` / tile). Masks of axes; an empty product is 1. */
typedef struct nf_count {
  uint64_t outer, tiled;
  int64_t tile;
} nf_count;

typedef struct nf_buffer {
  nf_count count;
  int64_t bytes; /* of one */
} nf_buffer;

typedef struct nf_step {
  nf_kernel_fn run;
  nf_count items;
} nf_step;

typedef enum nf_dtype { NF_F64, NF_F32, NF_BF16, NF_F16, NF_I8, NF_F8E4M3, NF_I32 } nf_dtype;
typedef enum nf_role { NF_INPUT, NF_INOUT, NF_OUTPUT, NF_LENGTH } nf_role;
typedef enum nf_layout { NF_DENSE, NF_ROWS, NF_ANY } nf_layout;

/* One compiled kernel and when it may serve: all ranges hold, exactly `inputs` of the optional inputs are there, the wanted outputs are all of `outputs` and
 * any of `asked`, each tensor is at least as regular as `layouts` says, the machine has `level`. Kernels stand best first. */
typedef struct nf_kernel {
  const char *name;     /* for which(): problem text */
  const char *schedule; /* schedule text */
  int32_t level;        /* x86: 2, 3, 4 */
  int32_t tuned;        /* 0: generic */
  uint64_t inputs;
  uint64_t outputs; /* written at every point, without asking */
  uint64_t asked;   /* written where the pointer isn't null: one value per row costs nothing to ask about */
  int64_t lo[NF_MAX_AXES], hi[NF_MAX_AXES];
  uint8_t layouts[NF_MAX_TENSORS];
  int32_t steps, buffers;
  const nf_step *step;
  const nf_buffer *buffer;
  int64_t grain_bytes;
} nf_kernel;

typedef struct nf_tensor {
  const char *name;
  nf_role role;
  nf_dtype dtype;
  int32_t optional;       /* an input with a default */
  int32_t rank;
  int32_t axes[NF_MAX_AXES];  /* in memory order, outermost first */
  int32_t pointer_offset;     /* in the function's args struct, in bytes */
  int32_t stride_offset[NF_MAX_AXES]; /* by position in `axes`; -1 for an axis whose stride the args struct cannot say (the innermost, unless layout any) */
} nf_tensor;

typedef struct nf_axis {
  const char *name;
  int32_t extent_offset; /* in the args struct: an int64_t */
  int32_t length;        /* tensor that bounds it, or -1 */
} nf_axis;

typedef struct nf_scalar {
  const char *name;
  int32_t offset; /* in the args struct: a double */
  int32_t set_size;
  double lo, hi;
  int32_t lo_open, hi_open;
  const double *set;
} nf_scalar;

/* lhs compare rhs; each side is a count over `axes`, a scalar, or a constant. */
typedef struct nf_operand {
  enum { NF_COUNT_OF, NF_SCALAR_OF, NF_CONSTANT_OF } kind;
  uint64_t axes;
  int32_t scalar;
  double constant;
} nf_operand;
typedef enum nf_compare { NF_LESS, NF_LESS_EQUAL, NF_EQUAL } nf_compare;
typedef struct nf_requirement {
  nf_operand lhs, rhs;
  nf_compare compare;
  const char *text;
} nf_requirement;

/* Everything about one norm in one dtype mix and memory order. */
typedef struct nf_function {
  const char *name; /* without the library's prefix: "layer_norm_f32" */
  const char *norm; /* canonical norm text */
  int32_t axes, tensors, scalars, requirements, kernels;
  const nf_axis *axis;
  const nf_tensor *tensor;
  const nf_scalar *scalar;
  const nf_requirement *requirement;
  const nf_kernel *kernel;
} nf_function;

#ifdef __cplusplus
}
#endif
#endif
