// Which kernel serves a call: the first, in the table's order, whose conditions all hold. The conditions are a few words to compare, so
// that a long table costs a small call little.
#include "runtime/call.h"

namespace {

using nf::CheckedCall;
using nf::Condition;

bool in_ranges(const nf_kernel &kernel, const CheckedCall &call) {
  for (int a = 0; a < call.function->axes; ++a)
    if (call.args.extents[a] < kernel.ranges[a].lo || call.args.extents[a] > kernel.ranges[a].hi)
      return false;
  return true;
}

} // namespace

extern "C" int64_t nf_kernel_workspace(const nf_kernel *kernel, const int64_t *extents) {
  if (kernel->buffers == 0)
    return 0;
  int64_t total = nf::kWorkspaceAlignment - 1;
  for (int b = 0; b < kernel->buffers; ++b) {
    int64_t bytes;
    if (__builtin_mul_overflow(nf::evaluate(kernel->buffer[b].count, extents), kernel->buffer[b].bytes, &bytes) ||
        __builtin_add_overflow(bytes, nf::kWorkspaceAlignment - 1, &bytes) ||
        __builtin_add_overflow(total, bytes & -nf::kWorkspaceAlignment, &total))
      return INT64_MAX;
  }
  return total;
}

extern "C" int64_t nf_kernel_shared_bytes(const nf_kernel *kernel) {
  int64_t most = 0;
  for (int s = 0; s < kernel->steps; ++s)
    if (const nf_launch *launch = kernel->step[s].launch; launch && launch->shared_bytes > most)
      most = launch->shared_bytes;
  return most;
}

extern "C" Condition nf_unmet(const nf_kernel *kernel, const CheckedCall *call, nf::Machine machine, int64_t workspace_bytes) {
  if (kernel->level > machine.level || !kernel->code == machine.gpu)
    return Condition::level;
  if ((kernel->needs & ~call->present) | (call->present & ~kernel->takes))
    return Condition::tensors;
  if (!in_ranges(*kernel, *call))
    return Condition::ranges;
  if ((kernel->dense & ~call->dense) | (kernel->rows & ~call->rows))
    return Condition::layout;
  if (kernel->in_place & ~call->in_place)
    return Condition::in_place;
  if (machine.gpu && nf_kernel_shared_bytes(kernel) > machine.shared_bytes)
    return Condition::shared_memory;
  if (kernel->buffers > 0 && nf_kernel_workspace(kernel, call->args.extents) > workspace_bytes)
    return Condition::workspace;
  return Condition::none;
}

extern "C" nf_status nf_choose(const CheckedCall *call, nf::Machine machine, int64_t workspace_bytes, const nf_kernel **kernel) {
  nf_status status = NF_NO_KERNEL;
  for (int k = 0; k < call->function->kernels; ++k) {
    const nf_kernel *candidate = &call->function->kernel[k];
    const Condition unmet = nf_unmet(candidate, call, machine, workspace_bytes);
    if (unmet == Condition::none) {
      *kernel = candidate;
      return NF_OK;
    }
    if (unmet == Condition::workspace)
      status = NF_WORKSPACE_NEEDED;
    if (unmet == Condition::shared_memory && status == NF_NO_KERNEL)
      status = NF_SHARED_MEMORY;
  }
  *kernel = nullptr;
  return status;
}
