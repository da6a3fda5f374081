#include "codegen/gpu_call.h"

#include <string>

#include "codegen/package/call_arguments.h"
#include "runtime/cuda.h"

namespace normforge {

struct GpuCall::State {
  FunctionTable table;
  CallArguments args;
  std::vector<void *> host; ///< by tensor
  std::vector<size_t> bytes;
  std::vector<GpuMemory> tensors;
  GpuMemory workspace;
  nf_cuda_options options{};

  State(const Problem &problem, const Target &target, const Kernel &kernel) : table(problem), args(table) {
    std::vector<nf_step> steps;
    for (const Step &step : kernel.steps)
      steps.push_back({nullptr, step.items, step.item_bytes, nullptr});
    table.add_kernel(problem, target, kernel, steps);
  }

  void check(nf_status status) const {
    if (status == NF_OK)
      return;
    const std::string said = text_of_driver_status(status); // before the driver is asked for more
    nf_choice choice{};
    nf_cuda_which(&table.function(), args.data(), &options, &choice);
    const bool by_driver = status == NF_DRIVER_ERROR || status == NF_OLD_DRIVER;
    const std::string text = std::string(table.function().name) + ": the call is refused: ";
    if (by_driver)
      throw GpuFault(text + said);
    throw UserError(text + (*choice.why ? choice.why : nf_status_string(status)));
  }
};

GpuCall::GpuCall(const Problem &problem, const Target &target, const Kernel &kernel, int device) {
  if (target.level > gpu_facts(device).capability)
    throw UserError("cuda:" + std::to_string(device) + " does not run " + std::string(target.name) + " code; choose " +
                    std::string(gpu_target(device).name) + " or lower");
  use_gpu(device);
  state = std::make_unique<State>(problem, target, kernel);
}
GpuCall::~GpuCall() = default;
GpuCall::GpuCall(GpuCall &&) noexcept = default;
GpuCall &GpuCall::operator=(GpuCall &&) noexcept = default;

void GpuCall::bind(const std::vector<int64_t> &extents, const std::vector<void *> &tensors, const std::vector<double> &scalars) {
  const Problem &problem = state->table.problem();
  std::vector<uint64_t> addresses;
  state->host = tensors;
  state->bytes.assign(tensors.size(), 0);
  state->tensors.clear();
  for (size_t t = 0; t < tensors.size(); ++t) {
    GpuMemory &memory = state->tensors.emplace_back();
    if (tensors[t]) {
      state->bytes[t] = size_t(info(*problem.dtypes[t]).bytes);
      for (int axis : problem.norm->program.tensors[t].axes)
        state->bytes[t] = size_t(checked_product(int64_t(state->bytes[t]), extents[size_t(axis)], "the size of a tensor"));
      memory = GpuMemory(state->bytes[t]);
      copy_to_gpu(memory.address(), tensors[t], state->bytes[t]);
    }
    addresses.push_back(memory.address());
  }
  place(extents, addresses, {}, scalars);
}

void GpuCall::place(const std::vector<int64_t> &extents, const std::vector<uint64_t> &addresses,
                    const std::vector<std::vector<int64_t>> &strides, const std::vector<double> &scalars) {
  state->args.set(extents, scalars);
  for (size_t t = 0; t < strides.size(); ++t)
    state->args.stride(t, strides[t]);
  move(addresses);
  int64_t wanted = 0;
  state->check(nf_cuda_workspace_bytes(&state->table.function(), state->args.data(), &wanted));
  state->workspace = GpuMemory(size_t(wanted));
  state->options = {nullptr, reinterpret_cast<void *>(state->workspace.address()), wanted};
}

void GpuCall::move(const std::vector<uint64_t> &addresses) {
  for (size_t t = 0; t < addresses.size(); ++t)
    state->args.point(t, addresses[t]);
}

void GpuCall::enqueue(void *stream) const {
  state->options.stream = stream;
  state->check(nf_cuda_call(&state->table.function(), state->args.data(), &state->options));
}

void GpuCall::run() {
  enqueue();
  wait_for_gpu();
  const Program &program = state->table.problem().norm->program;
  for (size_t t = 0; t < state->host.size(); ++t)
    if (state->host[t] && (program.tensors[t].role == Tensor::output || program.tensors[t].role == Tensor::inout))
      copy_from_gpu(state->host[t], state->tensors[t].address(), state->bytes[t]);
}

double GpuCall::time(int calls) {
  return GpuTimer().seconds(calls, [&](int64_t, void *stream) { enqueue(stream); });
}

} // namespace normforge
