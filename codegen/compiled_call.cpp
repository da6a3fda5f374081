#include "codegen/compiled_call.h"

#include "codegen/loader.h"
#include "codegen/package/call_arguments.h"
#include "dsl/error.h"
#include "runtime/runtime.h"

namespace normforge {

struct CompiledCall::State {
  FunctionTable table;
  LoadedKernel loaded;
  CallArguments args;
  std::vector<std::byte> workspace;

  State(const Problem &problem, const Target &target, const Kernel &kernel) : table(problem), loaded(kernel), args(table) {
    table.add_kernel(problem, target, kernel, loaded.steps());
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
  state->args.set(extents, scalars);
  rebind(tensors);
  int64_t bytes = 0;
  state->check(nf_workspace_bytes(&state->table.function(), state->args.data(), &bytes));
  state->workspace.resize(size_t(bytes));
}

void CompiledCall::rebind(const std::vector<void *> &tensors) {
  for (size_t tensor = 0; tensor < tensors.size(); ++tensor)
    state->args.point(tensor, reinterpret_cast<uintptr_t>(tensors[tensor]));
}

void CompiledCall::run(int threads) const {
  nf_options options{};
  options.threads = threads;
  options.workspace = state->workspace.data();
  options.workspace_bytes = int64_t(state->workspace.size());
  state->check(nf_call(&state->table.function(), state->args.data(), &options));
}

} // namespace normforge
