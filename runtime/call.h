// A call on its way through the runtime: check.cpp makes a CheckedCall of what the caller said, choose.cpp finds its kernel, call.cpp runs
// the kernel's steps, which.cpp tells of it in words. Functions are extern "C" with the nf_ prefix, the public ones and these alike: it is
// what packaging renames.
#pragma once

#include "runtime/abi.h"
#include "runtime/runtime.h"

namespace nf {

/// Bytes of memory [begin, end).
struct Span {
  uintptr_t begin, end;
};
static inline bool overlap(Span a, Span b) { return a.begin < b.end && b.begin < a.end; }

/// Arguments that passed every check. Entries of arrays past the function's own counts are not set.
struct CheckedCall {
  const nf_function *function;
  nf_kernel_args args;         ///< all but the buffers
  uint64_t present;            ///< masks of tensors: not null,
  uint64_t written;            ///< outputs and inouts of those,
  uint64_t dense, rows;        ///< as regular as that (absent ones are),
  uint64_t in_place;           ///< outputs that are the memory of an input
  Span spans[NF_MAX_TENSORS];  ///< from the first byte to the last of those that are present
  int64_t bytes;               ///< of all tensors' elements
  bool empty;                  ///< an extent is 0
  const char *culprit, *other; ///< when refused: the axis, tensor, scalar or requirement (two tensors that overlap); else null
};

/// The conditions of a kernel, in the order in which they are looked at.
enum class Condition { level, tensors, ranges, layout, in_place, shared_memory, workspace, none };

/// What kernels run on: a level, and of a GPU the shared memory that a block may have.
struct Machine {
  int32_t level;
  bool gpu = false;
  int64_t shared_bytes = 0;
};

static inline int64_t product(uint64_t axes, const int64_t *extents) {
  int64_t value = 1;
  for (; axes; axes &= axes - 1)
    value *= extents[__builtin_ctzll(axes)];
  return value;
}

/// Saturates. The product of all extents was checked, so that without `times` it does not overflow.
static inline int64_t evaluate(const nf_count &count, const int64_t *extents) {
  const int64_t tiled = product(count.tiled, extents);
  const int64_t once = product(count.outer, extents) * (tiled / count.tile + (tiled % count.tile != 0));
  int64_t value;
  return __builtin_mul_overflow(once, count.times, &value) ? INT64_MAX : value;
}

/// Blocks that a launch of so many items has on a GPU, of nf_launch's counts.
static inline int64_t grid_of(int64_t items, int64_t rows, int64_t cluster, int64_t resident, int64_t multiprocessors) {
  const int64_t wanted = items / rows + (items % rows != 0), held = resident * multiprocessors / cluster;
  return cluster * (!resident || wanted <= held ? wanted : held > 0 ? held : 1);
}

constexpr int kWorkspaceAlignment = 64;

} // namespace nf

extern "C" {

/// Checks everything that a call says of itself. Fills `call` as far as it came.
nf_status nf_check(const nf_function *function, const void *args, nf::CheckedCall *call);

/// nf_check(), the options and the level in force; then the kernel, null for an empty call.
nf_status nf_prepare(const nf_function *function, const void *args, const nf_options *options, nf::CheckedCall *call,
                     const nf_kernel **kernel);

/// The first condition of `kernel` that `call` does not meet on `machine` with so many bytes of workspace.
nf::Condition nf_unmet(const nf_kernel *kernel, const nf::CheckedCall *call, nf::Machine machine, int64_t workspace_bytes);

/// The first kernel without an unmet condition, or null and the status that says why.
nf_status nf_choose(const nf::CheckedCall *call, nf::Machine machine, int64_t workspace_bytes, const nf_kernel **kernel);

/// The most shared memory that a block of any of the kernel's launches wants; 0 for a CPU's.
int64_t nf_kernel_shared_bytes(const nf_kernel *kernel);

/// Workspace of `kernel`, with room to align it; 0 when it wants none; saturates.
int64_t nf_kernel_workspace(const nf_kernel *kernel, const int64_t *extents);

/// Refuses a workspace that overlaps a tensor of the call, where the kernel wants one.
nf_status nf_check_workspace(const nf_kernel *kernel, void *workspace, int64_t workspace_bytes, nf::CheckedCall *call);

/// Points the kernel's buffers into the workspace, which is large enough.
void nf_place_buffers(const nf_kernel *kernel, void *workspace, nf::CheckedCall *call);

/// Fills in what nf_which() says of a call that was prepared with `status`: `kernel` serves it, or nothing does.
void nf_explain(const nf::CheckedCall *call, nf_status status, const nf_kernel *kernel, nf::Machine machine, int64_t workspace_bytes,
                nf_choice *choice);

/// Into how many tasks `step` is split.
int32_t nf_step_tasks(const nf_kernel *kernel, const nf_step *step, const nf::CheckedCall *call, const nf_options *options);

/// Runs task(context, i) for i in [0, tasks) on the pool and the calling thread; on the latter alone when the pool is taken. tasks <=
/// nf_max_threads.
void nf_pool_run(int32_t tasks, void (*task)(void *context, int32_t index), void *context);

/// What nf_set_threads() said, or the CPUs that the process may use.
int32_t nf_default_threads(void);

enum { nf_max_threads = 256 };
}
