// Norms as dialect text, for tests that must not depend on the parser of the norm language.
#pragma once

#include <string>

#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

#include "dsl/dialect/convert.h"
#include "dsl/specialize.h"

namespace normforge::dialect {

/// A context with the dialect alone; what is reported goes to `errors`.
struct TestContext {
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  std::string errors;
  mlir::ScopedDiagnosticHandler handler{&context, [this](mlir::Diagnostic &diagnostic) { errors += diagnostic.str() + "\n"; }};

  TestContext() { context.loadDialect<NormDialect>(); }
  /// The norm.func that `text` is; null, with `errors`, when it is malformed.
  mlir::OwningOpRef<FuncOp> parse(std::string_view text) {
    mlir::Block block;
    if (failed(mlir::parseSourceString(text, &block, mlir::ParserConfig(&context))))
      return {};
    auto func = llvm::cast<FuncOp>(block.front());
    func->remove();
    return func;
  }
};

inline std::string text_of(FuncOp func) {
  std::string text;
  llvm::raw_string_ostream(text) << *func.getOperation();
  return text + "\n";
}

/// A norm with the program of `text`; it has no text of its own.
inline NormRef norm_of(std::string_view text) {
  TestContext test;
  mlir::OwningOpRef<FuncOp> func = test.parse(text);
  if (!func)
    throw std::runtime_error(test.errors);
  auto norm = std::make_shared<Norm>();
  norm->program = export_program(*func);
  return norm;
}

/// Every tensor f32, dense and there, every output wanted, every extent open.
inline Problem plain_problem(NormRef norm) {
  const Program &program = norm->program;
  Problem problem{norm};
  problem.extents.resize(program.axes.size());
  for (const Tensor &tensor : program.tensors) {
    problem.outputs |= uint64_t(tensor.role == Tensor::output) << problem.dtypes.size();
    problem.dtypes.push_back(tensor.role == Tensor::length ? DType::i32 : DType::f32);
  }
  problem.layouts.resize(program.tensors.size());
  for (int axis = 0; axis < int(program.axes.size()); ++axis)
    problem.order.push_back(axis);
  return problem;
}

/// The text after the named pass.
inline std::string text_after(const Problem &problem, std::string_view pass) {
  std::string found;
  specialize(problem, [&](std::string_view name, std::string_view text) {
    if (name == pass)
      found = text;
  });
  return found;
}

inline constexpr std::string_view kLayerNorm = R"(
norm.func @layer_norm {
  norm.axis rows pack of [0]
  norm.axis cols pack of [1]
  norm.tensor input @x <rows, cols>
  norm.tensor input @gamma <cols> default 1.0
  norm.tensor input @beta <cols> default 0.0
  norm.tensor output @y <rows, cols>
  norm.tensor output @mean <rows>
  norm.tensor output @rstd <rows>
  norm.parameter @eps = 1.0e-05 at_least 0.0
} body {
  %x = norm.read @x : <rows, cols>
  %mean = norm.avg %x over <cols> : <rows, cols> -> <rows>
  %centred = norm.sub %x, %mean : <rows, cols>, <rows>
  %square = norm.pow %centred, 2 : <rows, cols>
  %variance = norm.avg %square over <cols> : <rows, cols> -> <rows>
  %eps = norm.scalar @eps
  %shifted = norm.add %variance, %eps : <rows>, <>
  %rstd = norm.rsqrt %shifted : <rows>
  %normal = norm.mul %centred, %rstd : <rows, cols>, <rows>
  %gamma = norm.read @gamma : <cols>
  %scaled = norm.mul %normal, %gamma : <rows, cols>, <cols>
  %beta = norm.read @beta : <cols>
  %y = norm.add %scaled, %beta : <rows, cols>, <cols>
  norm.write %y to @y : <rows, cols>
  norm.write %mean to @mean : <rows>
  norm.write %rstd to @rstd : <rows>
})";

} // namespace normforge::dialect
