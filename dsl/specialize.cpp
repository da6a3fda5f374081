// The pipeline: import, bind the problem, run the rewrites as MLIR passes, export. After each rewrite MLIR's own canonicalizer and CSE
// clean up, so a rewrite may leave dead or equal operations behind.
#include "dsl/specialize.h"

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/raw_ostream.h"

#include "dsl/dialect/convert.h"
#include "dsl/error.h"
#include "dsl/rewrite/rewrites.h"

using namespace mlir;

namespace normforge {
namespace {

using dialect::FuncOp;

/// A row of the table of rewrites as a pass.
struct RewritePass : PassWrapper<RewritePass, OperationPass<FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(RewritePass)
  const dialect::Rewrite &rewrite;
  explicit RewritePass(const dialect::Rewrite &rewrite) : rewrite(rewrite) {}
  StringRef getName() const override { return rewrite.name; }
  StringRef getArgument() const override { return rewrite.name; }
  StringRef getDescription() const override { return rewrite.summary; }
  void runOnOperation() override { rewrite.run(getOperation()); }
};

/// Shows the dialect's text after a rewrite and its clean-up.
struct TracePass : PassWrapper<TracePass, OperationPass<FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TracePass)
  std::string_view after;
  const PassTrace *const &trace;
  TracePass(std::string_view after, const PassTrace *const &trace) : after(after), trace(trace) {}
  StringRef getName() const override { return "trace"; }
  void runOnOperation() override {
    markAllAnalysesPreserved();
    if (!trace || !*trace)
      return;
    std::string text;
    llvm::raw_string_ostream stream(text);
    getOperation()->print(stream, OpPrintingFlags().printNameLocAsPrefix());
    stream << "\n";
    (*trace)(after, text);
  }
};

/// A context and the pipeline, made once for each thread: they cost more than a run.
struct Session {
  MLIRContext context{MLIRContext::Threading::DISABLED};
  PassManager passes{&context, FuncOp::getOperationName()};
  const PassTrace *trace = nullptr;

  Session() {
    context.loadDialect<dialect::NormDialect>();
    clean_up_and_trace("import");
    for (const dialect::Rewrite &rewrite : dialect::rewrites()) {
      passes.addPass(std::make_unique<RewritePass>(rewrite));
      clean_up_and_trace(rewrite.name);
    }
  }

  void clean_up_and_trace(std::string_view after) {
    passes.addPass(createCanonicalizerPass());
    passes.addPass(createCSEPass());
    passes.addPass(std::make_unique<TracePass>(after, trace));
  }
};

DType compute_dtype(const Problem &problem) {
  const std::vector<Tensor> &tensors = problem.norm->program.tensors;
  for (size_t t = 0; t < tensors.size(); ++t)
    if (tensors[t].role != Tensor::output && problem.dtypes[t] == DType::f64)
      return DType::f64;
  return DType::f32;
}

} // namespace

Specialized specialize(const Problem &problem, const PassTrace &trace) {
  thread_local Session session;
  OwningOpRef<FuncOp> func = dialect::import_program(session.context, problem.norm->program, problem.norm->node_names);
  dialect::bind_problem(*func, problem);
  std::string message;
  ScopedDiagnosticHandler collect(&session.context, [&](Diagnostic &diagnostic) { message += diagnostic.str() + "; "; });
  session.trace = &trace;
  if (failed(session.passes.run(*func)))
    throw InternalError("specialising " + problem.norm->program.name + ": " + message);

  Specialized result{dialect::export_program(*func), {}, problem.dtypes, {}, compute_dtype(problem)};
  for (dialect::AxisOp axis : func->declared<dialect::AxisOp>())
    result.axes.push_back({{axis.getParts().begin(), axis.getParts().end()},
                           axis.getExtent() ? Extent{(*axis.getExtent())[0], (*axis.getExtent())[1]} : Extent{}});
  for (dialect::TensorOp tensor : func->declared<dialect::TensorOp>())
    result.layouts.push_back(Layout(tensor.getStrides()));
  return result;
}

const std::vector<std::string> &specialize_passes() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> names{"import"};
    for (const dialect::Rewrite &rewrite : dialect::rewrites())
      names.emplace_back(rewrite.name);
    return names;
  }();
  return names;
}

} // namespace normforge
