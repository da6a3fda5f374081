/* What a library says of itself: its functions, and for each one the axes, tensors, scalars and requirements of its norm with their places
 * in the args struct. Constants, so that a program can list them, drive a call from a script, or check an args struct against them. Part of
 * every library's public header. */
#ifndef NORMFORGE_RUNTIME_DESCRIPTION_H
#define NORMFORGE_RUNTIME_DESCRIPTION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Limits of a function's lists. */
enum { NF_MAX_AXES = 16, NF_MAX_TENSORS = 32, NF_MAX_SCALARS = 16 };

typedef enum nf_dtype { NF_F64, NF_F32, NF_BF16, NF_F16, NF_I8, NF_F8E4M3, NF_I32 } nf_dtype;

/** NF_INOUT: read and updated in place. NF_LENGTH: int32 lengths of a ragged axis, clamped to [0, extent]. */
typedef enum nf_role { NF_INPUT, NF_INOUT, NF_OUTPUT, NF_LENGTH } nf_role;

typedef struct nf_axis {
  const char *name;
  int32_t extent_offset; /**< in the args struct, in bytes: an int64_t */
  int32_t length;        /**< the tensor that bounds it, or -1 */
} nf_axis;

typedef struct nf_tensor {
  const char *name;
  nf_role role;
  nf_dtype dtype;
  int32_t optional; /**< an input with a default: null when absent. Outputs are null when unwanted. */
  int32_t rank;
  int32_t axes[NF_MAX_AXES];          /**< in memory order, outermost first */
  int32_t stride_offset[NF_MAX_AXES]; /**< by position in `axes`: an int64_t in the args struct, in elements; -1 where it has none: dense */
  int32_t pointer_offset;             /**< in the args struct, in bytes */
  uint64_t in_place; /**< of an output: bit t: it may be exactly the memory of input t, which has its axes and element width */
} nf_tensor;

typedef struct nf_scalar {
  const char *name;
  int32_t offset;   /**< in the args struct, in bytes: a double */
  int32_t set_size; /**< above 0: one of the values in `set`; else in [lo, hi], without an end that is open */
  double lo, hi;
  int32_t lo_open, hi_open;
  const double *set;
} nf_scalar;

typedef enum nf_operand_kind { NF_COUNT_OF, NF_SCALAR_OF, NF_CONSTANT_OF } nf_operand_kind;
typedef struct nf_operand {
  nf_operand_kind kind;
  uint64_t axes;   /**< NF_COUNT_OF: the product of these axes' extents */
  int32_t scalar;  /**< NF_SCALAR_OF: its index */
  double constant; /**< NF_CONSTANT_OF */
} nf_operand;

/** lhs < rhs, lhs <= rhs or lhs == rhs, or the call is refused. */
typedef enum nf_compare { NF_LESS, NF_LESS_EQUAL, NF_EQUAL } nf_compare;
typedef struct nf_requirement {
  nf_operand lhs, rhs;
  nf_compare compare;
  const char *text;
} nf_requirement;

/** What a kernel was made for: every shape; a problem that the library was built for, by the default schedule; such a problem, by a
 * schedule that was chosen by measuring. */
typedef enum nf_origin { NF_GENERIC, NF_SPECIALIZED, NF_TUNED } nf_origin;

struct nf_kernel;

/** One norm in one dtype mix and memory order. Masks of axes and tensors elsewhere are bits by index in these lists. */
typedef struct nf_function {
  const char *name; /**< without the library's prefix: "layer_norm_f32" */
  const char *norm; /**< the norm's definition, as text */
  int32_t axes, tensors, scalars, requirements, kernels;
  const nf_axis *axis;
  const nf_tensor *tensor;
  const nf_scalar *scalar;
  const nf_requirement *requirement;
  const struct nf_kernel *kernel; /**< best first */
} nf_function;

typedef struct nf_library {
  const char *name;
  const char *version;
  const char *level_variable; /**< the environment variable that forces a CPU level */
  int32_t functions;
  const nf_function *const *function;
  int32_t cuda_functions;
  const nf_function *const *cuda_function; /**< those that run on a GPU */
} nf_library;

#ifdef __cplusplus
}
#endif
#endif
