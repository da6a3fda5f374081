// The `norm` dialect in C++: what TableGen makes of norm_ops.td, and the few functions on sets of axes that everything else is written in.
// Private to dsl/: other folders see plain Programs (dsl/program.h).
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dsl/program.h"

#include "dsl/dialect/norm_dialect.h.inc"
#include "dsl/dialect/norm_enums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dsl/dialect/norm_attributes.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dsl/dialect/norm_types.h.inc"

namespace normforge::dialect {

using AxisNames = llvm::SmallVector<mlir::StringAttr, 4>;

/// Sorted by name, each once: the form in which types keep a set of axes.
AxesAttr sorted_axes(mlir::MLIRContext *, AxisNames names);

/// The axes of a value or a truth value, sorted.
llvm::ArrayRef<mlir::StringAttr> axes_of(mlir::Type type);
inline llvm::ArrayRef<mlir::StringAttr> axes_of(mlir::Value value) { return axes_of(value.getType()); }

AxesAttr union_of_axes(mlir::MLIRContext *, mlir::ValueRange values);

/// The row of the Op table that a body operation is (norm.read is Op::tensor), or nullopt for writes, requirements and declarations.
std::optional<Op> op_of(mlir::Operation *op);

/// How the result of a body operation is called in text: the tensor or parameter that it is, or what the operation is.
llvm::StringRef result_name(mlir::Operation *op);

/// A location that names the values defined there: text calls them so.
mlir::Location location_named(mlir::MLIRContext *, llvm::StringRef name);

/// The value that `op` has on constant operands, or the operand that it passes on: only where this is exact in every compute dtype.
mlir::OpFoldResult fold_exactly(mlir::Operation *op, llvm::ArrayRef<mlir::Attribute> operands);

/// Reductions and norm.first: the reduced axes exist, and the result varies over the axes that follow from operand and lengths.
llvm::LogicalResult verify_over(mlir::Operation *op);

} // namespace normforge::dialect

#define GET_OP_CLASSES
#include "dsl/dialect/norm_ops.h.inc"

namespace normforge::dialect {

/// `axes` without those in `over`: what norm.first varies over, which has no use for lengths.
AxesAttr axes_less(llvm::ArrayRef<mlir::StringAttr> axes, AxesAttr over);

/// The axes over which a reduction of a value over `axes` varies, and a count (of a value over none): those axes, and those over which the
/// lengths of ragged reduced axes vary, less the reduced ones.
AxesAttr axes_reduced(FuncOp func, llvm::ArrayRef<mlir::StringAttr> axes, AxesAttr over);

/// The axes over which an operation with an attribute `over` varies, by its operand.
AxesAttr over_result_axes(FuncOp func, mlir::Operation *op);

/// Whether an axis in `over` is ragged with lengths that vary over another axis in `over`: full rows then stand beside empty ones, and
/// there is no count for each kept index that is a product.
bool lengths_vary_within(FuncOp func, AxesAttr over);

/// Gives every operation of the body the type that follows from its operands. For rewrites that replace a value by one over fewer axes.
void infer_types(FuncOp func);

/// MLIR's type for a dtype, and back.
mlir::Type type_of(mlir::MLIRContext *, DType dtype);
std::optional<DType> dtype_of(mlir::Type type);

} // namespace normforge::dialect
