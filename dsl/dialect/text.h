// The directives that norm_ops.td calls as custom<AxisName> and custom<Number>.
#pragma once

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/OpImplementation.h"

namespace normforge::dialect {

/// `cols`, or `batch*space` for a collapsed axis.
mlir::ParseResult parseAxisName(mlir::OpAsmParser &, mlir::StringAttr &name);
void printAxisName(mlir::OpAsmPrinter &, mlir::Operation *, mlir::StringAttr name);

/// An f64, in the fewest digits that give it back; `inf` for infinity.
mlir::ParseResult parseNumber(mlir::OpAsmParser &, mlir::FloatAttr &number);
void printNumber(mlir::OpAsmPrinter &, mlir::Operation *, mlir::FloatAttr number);

} // namespace normforge::dialect
