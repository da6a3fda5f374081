// A call on a GPU, from arguments to launches: the checks, the choice of a kernel and the workspace are those of a call on the CPU; the
// device stands in the CPU level's place.
#include "runtime/cuda.h"
#include "runtime/cuda_driver.h"

namespace {

using namespace nf::cuda;
using nf::CheckedCall;

constexpr nf_cuda_options kDefaults{};
constexpr int64_t kMostBlocks = INT32_MAX; ///< of a grid

struct Prepared {
  CheckedCall call;
  const Driver *driver;
  Context context;
  const nf_kernel *kernel; ///< null: nothing to do, or none
};

bool for_newer_devices_alone(const nf_function *function, int32_t level) {
  for (int k = 0; k < function->kernels; ++k)
    if (function->kernel[k].level <= level || !function->kernel[k].code)
      return false;
  return true;
}

nf_status find_machine(void *stream, Prepared *prepared) {
  if (const nf_status status = nf_cuda_driver(&prepared->driver); status != NF_OK)
    return status;
  return nf_cuda_context(prepared->driver, stream, &prepared->context);
}

/// Checks the call and finds its kernel, for so much workspace.
nf_status choose(const nf_function *function, const void *args, void *stream, int64_t workspace_bytes, Prepared *prepared) {
  CheckedCall *call = &prepared->call;
  prepared->kernel = nullptr;
  prepared->context.machine = {0, true};
  if (const nf_status status = nf_check(function, args, call); status != NF_OK)
    return status;
  if (workspace_bytes < 0)
    return NF_BAD_OPTIONS;
  if (const nf_status status = find_machine(stream, prepared); status != NF_OK) {
    call->culprit = status == NF_NO_DRIVER ? nf_cuda_load_error() : nullptr;
    return status;
  }
  if (call->empty)
    return NF_OK;
  const nf::Machine machine = prepared->context.machine;
  const nf_status status = nf_choose(call, machine, workspace_bytes, &prepared->kernel);
  return status == NF_NO_KERNEL && for_newer_devices_alone(function, machine.level) ? NF_OLD_DEVICE : status;
}

nf_status prepare(const nf_function *function, const void *args, const nf_cuda_options *options, Prepared *prepared) {
  const int64_t bytes = options->workspace || options->workspace_bytes < 0 ? options->workspace_bytes : 0;
  if (const nf_status status = choose(function, args, options->stream, bytes, prepared); status != NF_OK || !prepared->kernel)
    return status;
  return nf_check_workspace(prepared->kernel, options->workspace, options->workspace_bytes, &prepared->call);
}

/// Items of a grid that is too large go in several launches.
Result launch(const Prepared &prepared, Handle function, const nf_step *step, CheckedCall *call, Handle stream) {
  const nf_launch *shape = step->launch;
  int64_t begin = 0, end = nf::evaluate(step->items, call->args.extents);
  void *parameters[2 + sizeof(nf_kernel_args) / 8] = {&begin, &end};
  for (int p = 0; p < shape->parameters; ++p)
    parameters[2 + p] = reinterpret_cast<char *>(&call->args) + shape->parameter[p];
  const int64_t most = kMostBlocks / shape->cluster * shape->rows;
  for (const int64_t last = end; begin < last; begin += most) {
    end = last - begin < most ? last : begin + most;
    const int64_t blocks = nf::grid_of(end - begin, shape->rows, shape->cluster, shape->resident, prepared.context.multiprocessors);
    if (const Result result = prepared.driver->launch(function, unsigned(blocks), 1, 1, unsigned(shape->threads), unsigned(shape->rows), 1,
                                                      unsigned(shape->shared_bytes), stream, parameters, nullptr))
      return result;
  }
  return 0;
}

/// Whether the GPU can reach what `pointer` points to.
bool reachable(const Prepared &prepared, const void *pointer) {
  int type = 0, pageable = 0;
  if (prepared.driver->pointer_attribute(&type, kPointerMemoryType, reinterpret_cast<uintptr_t>(pointer)) != kInvalidValue)
    return true;
  return !prepared.driver->device_attribute(&pageable, kPageableMemory, prepared.context.device) && pageable;
}

nf_status check_reach(Prepared *prepared, const nf_cuda_options *options) {
  CheckedCall *call = &prepared->call;
  for (int t = 0; t < call->function->tensors; ++t)
    if ((call->present >> t & 1) && !reachable(*prepared, call->args.tensors[t])) {
      call->culprit = call->function->tensor[t].name;
      return NF_HOST_POINTER;
    }
  if (prepared->kernel->buffers > 0 && !reachable(*prepared, options->workspace)) {
    call->culprit = "the workspace";
    return NF_HOST_POINTER;
  }
  return NF_OK;
}

} // namespace

extern "C" nf_status nf_cuda_call(const nf_function *function, const void *args, const nf_cuda_options *options) {
  options = options ? options : &kDefaults;
  Prepared prepared;
  if (const nf_status status = prepare(function, args, options, &prepared); status != NF_OK || !prepared.kernel)
    return status;
  const nf_kernel *kernel = prepared.kernel;
  const Handle *functions;
  if (const nf_status status = nf_cuda_load(prepared.driver, &prepared.context, kernel, &functions); status != NF_OK)
    return status;
  nf_place_buffers(kernel, options->workspace, &prepared.call);
  for (int s = 0; s < kernel->steps; ++s)
    if (const Result result = launch(prepared, functions[s], &kernel->step[s], &prepared.call, options->stream))
      return nf_cuda_status(result);
  return NF_OK;
}

extern "C" nf_status nf_cuda_which(const nf_function *function, const void *args, const nf_cuda_options *options, nf_choice *choice) {
  if (!choice)
    return NF_NULL_ARGUMENT;
  *choice = nf_choice{};
  options = options ? options : &kDefaults;
  Prepared prepared;
  nf_status status = prepare(function, args, options, &prepared);
  if (status == NF_OK && prepared.kernel)
    status = check_reach(&prepared, options);
  nf_explain(&prepared.call, status, prepared.kernel, prepared.context.machine, options->workspace ? options->workspace_bytes : 0, choice);
  return status;
}

extern "C" nf_status nf_cuda_workspace_bytes(const nf_function *function, const void *args, int64_t *bytes) {
  if (!bytes)
    return NF_NULL_ARGUMENT;
  *bytes = 0;
  Prepared prepared;
  const nf_status status = choose(function, args, nullptr, INT64_MAX, &prepared);
  if (status == NF_OK && prepared.kernel)
    *bytes = nf_kernel_workspace(prepared.kernel, prepared.call.args.extents);
  return status;
}

extern "C" nf_status nf_cuda_capability(int32_t *capability) {
  if (!capability)
    return NF_NULL_ARGUMENT;
  *capability = 0;
  Prepared prepared;
  const nf_status status = find_machine(nullptr, &prepared);
  if (status == NF_OK)
    *capability = prepared.context.machine.level;
  return status;
}
