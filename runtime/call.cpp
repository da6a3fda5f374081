// A call, from arguments to results: check, choose, lay out the workspace, run the steps. A step's items are cut into as many contiguous
// blocks as threads are worth their while; which thread does a block, and how many blocks there are, changes nothing in what is written.
#include "runtime/call.h"

namespace {

using nf::CheckedCall;

constexpr nf_options kDefaults{};

struct Blocks {
  const nf_step *step;
  const nf_kernel_args *args;
  int64_t items;
  int32_t tasks;
};

/// Block `index`: the first items % tasks blocks have one item more.
void run_block(void *context, int32_t index) {
  const Blocks &blocks = *static_cast<const Blocks *>(context);
  const int64_t each = blocks.items / blocks.tasks, rest = blocks.items % blocks.tasks;
  const int64_t begin = each * index + (index < rest ? index : rest);
  blocks.step->run(blocks.args, begin, begin + each + (index < rest));
}

void run_step(const nf_kernel *kernel, const nf_step *step, const CheckedCall *call, const nf_options *options) {
  Blocks blocks{step, &call->args, nf::evaluate(step->items, call->args.extents), nf_step_tasks(kernel, step, call, options)};
  if (blocks.tasks == 1)
    step->run(&call->args, 0, blocks.items);
  else if (options->parallel_for)
    options->parallel_for(options->context, blocks.tasks, run_block, &blocks);
  else
    nf_pool_run(blocks.tasks, run_block, &blocks);
}

} // namespace

extern "C" void nf_place_buffers(const nf_kernel *kernel, void *workspace, CheckedCall *call) {
  const uintptr_t mask = nf::kWorkspaceAlignment - 1;
  uintptr_t next = (reinterpret_cast<uintptr_t>(workspace) + mask) & ~mask;
  for (int b = 0; b < kernel->buffers; ++b) {
    call->args.buffers[b] = reinterpret_cast<void *>(next);
    const int64_t bytes = nf::evaluate(kernel->buffer[b].count, call->args.extents) * kernel->buffer[b].bytes;
    next += (uintptr_t(bytes) + mask) & ~mask;
  }
}

extern "C" nf_status nf_check_workspace(const nf_kernel *kernel, void *workspace, int64_t workspace_bytes, CheckedCall *call) {
  if (kernel->buffers == 0)
    return NF_OK;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(workspace);
  for (int t = 0; t < call->function->tensors; ++t)
    if ((call->present >> t & 1) && nf::overlap(call->spans[t], {begin, begin + uintptr_t(workspace_bytes)})) {
      call->culprit = call->function->tensor[t].name;
      call->other = "the workspace";
      return NF_OVERLAP;
    }
  return NF_OK;
}

extern "C" int32_t nf_step_tasks(const nf_kernel *kernel, const nf_step *step, const CheckedCall *call, const nf_options *options) {
  const int64_t items = nf::evaluate(step->items, call->args.extents);
  if (kernel->grain_bytes <= 0 || items <= 1 || options->threads == 1)
    return 1;
  int64_t bytes = call->bytes;
  if (step->item_bytes > 0 && __builtin_mul_overflow(step->item_bytes, items, &bytes))
    bytes = INT64_MAX;
  int64_t tasks = bytes / kernel->grain_bytes;
  if (tasks <= 1)
    return 1;
  const int64_t threads = options->threads > 0 ? options->threads : nf_default_threads();
  const int64_t limits[] = {items, threads, nf_max_threads};
  for (const int64_t limit : limits)
    tasks = limit < tasks ? limit : tasks;
  return int32_t(tasks);
}

extern "C" nf_status nf_prepare(const nf_function *function, const void *args, const nf_options *options, CheckedCall *call,
                                const nf_kernel **kernel) {
  *kernel = nullptr;
  if (const nf_status status = nf_check(function, args, call); status != NF_OK)
    return status;
  if (options->threads < 0 || options->workspace_bytes < 0)
    return NF_BAD_OPTIONS;
  const int32_t level = nf_level();
  if (level == 0)
    return NF_LEVEL_UNSUPPORTED;
  if (call->empty)
    return NF_OK;
  if (const nf_status status = nf_choose(call, {level}, options->workspace ? options->workspace_bytes : 0, kernel); status != NF_OK)
    return status;
  return nf_check_workspace(*kernel, options->workspace, options->workspace_bytes, call);
}

extern "C" nf_status nf_call(const nf_function *function, const void *args, const nf_options *options) {
  CheckedCall call;
  const nf_kernel *kernel;
  options = options ? options : &kDefaults;
  if (const nf_status status = nf_prepare(function, args, options, &call, &kernel); status != NF_OK || !kernel)
    return status;
  nf_place_buffers(kernel, options->workspace, &call);
  for (int s = 0; s < kernel->steps; ++s)
    run_step(kernel, &kernel->step[s], &call, options);
  return NF_OK;
}
