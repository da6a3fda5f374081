// Between plain Programs and the dialect. Import and export are inverse: every node is one operation, in the same order.
#pragma once

#include "mlir/IR/OwningOpRef.h"

#include "dsl/dialect/dialect.h"
#include "dsl/specialize.h"

namespace normforge::dialect {

/// The program as a norm.func; `node_names` (by NodeId, empty where there is none) are what its values are called in text. Throws
/// InternalError when the dialect's verifier refuses it.
mlir::OwningOpRef<FuncOp> import_program(mlir::MLIRContext &, const Program &, llvm::ArrayRef<std::string> node_names = {});

/// Writes what `problem` says into the signature: extents, memory order, dtypes, strides, which outputs are unwanted.
void bind_problem(FuncOp func, const Problem &problem);

/// The func as a program; its axes stand in the order in which they are declared. Throws InternalError on what the verifier would refuse.
Program export_program(FuncOp func);

} // namespace normforge::dialect
