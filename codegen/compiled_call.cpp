#include "codegen/compiled_call.h"

#include <cstring>

#include "codegen/loader.h"
#include "codegen/package/function.h"
#include "dsl/error.h"
#include "runtime/runtime.h"

namespace normforge {

struct CompiledCall::State {
  FunctionTable table;
  LoadedKernel loaded;
  std::vector<std::max_align_t> args;
  std::vector<std::byte> workspace;

  State(const Problem &problem, const Target &target, const Kernel &kernel) : table(problem), loaded(kernel) {
    table.add_kernel(problem, target, kernel, loaded.steps());
    args.resize((size_t(table.args_bytes()) + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t));
  }

  template <class Value> void put(int32_t offset, Value value) {
    static_assert(sizeof value == 8);
    std::memcpy(reinterpret_cast<std::byte *>(args.data()) + offset, &value, sizeof value);
  }

  void check(nf_status status) const {
    if (status == NF_OK)
      return;
    nf_choice choice{};
    nf_which(&table.function(), args.data(), nullptr, &choice);
    throw UserError(std::string(table.function().name) + ": the call is refused: " + (*choice.why ? choice.why : nf_status_string(status)));
  }
};

CompiledCall::CompiledCall(const Problem &problem, const Target &target, const Kernel &kernel)
    : state(std::make_unique<State>(problem, target, kernel)) {}
CompiledCall::~CompiledCall() = default;
CompiledCall::CompiledCall(CompiledCall &&) noexcept = default;
CompiledCall &CompiledCall::operator=(CompiledCall &&) noexcept = default;

void CompiledCall::bind(const std::vector<int64_t> &extents, const std::vector<void *> &tensors, const std::vector<double> &scalars) {
  for (size_t axis = 0; axis < extents.size(); ++axis)
    state->put(state->table.extent_offset(int(axis)), extents[axis]);
  rebind(tensors);
  for (size_t scalar = 0; scalar < scalars.size(); ++scalar)
    state->put(state->table.scalar_offset(int(scalar)), scalars[scalar]);
  int64_t bytes = 0;
  state->check(nf_workspace_bytes(&state->table.function(), state->args.data(), &bytes));
  state->workspace.resize(size_t(bytes));
}

void CompiledCall::rebind(const std::vector<void *> &tensors) {
  for (size_t tensor = 0; tensor < tensors.size(); ++tensor)
    state->put(state->table.pointer_offset(int(tensor)), tensors[tensor]);
}

void CompiledCall::run(int threads) const {
  nf_options options{};
  options.threads = threads;
  options.workspace = state->workspace.data();
  options.workspace_bytes = int64_t(state->workspace.size());
  state->check(nf_call(&state->table.function(), state->args.data(), &options));
}

} // namespace normforge
