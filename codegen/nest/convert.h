// Element types in memory and in registers. Conversions round once, to nearest even, and give the same bits on every level: written in
// integer operations where a level has no instruction for them (LLVM would call libgcc).
#pragma once

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include "codegen/target.h"
#include "dsl/dtype.h"

namespace normforge::nest {

/// What a kernel loads and stores for a dtype: f32, f64, i16 for bf16 and f16, i8 for i8 and f8e4m3, i32.
mlir::Type storage_type(mlir::MLIRContext *, DType);

/// `stored`, a scalar or vector of storage_type(from), as the scalar type `compute` (f32 or f64) or a vector of it. Exact, but i32 and
/// f64 to f32, which round.
mlir::Value widen(mlir::ImplicitLocOpBuilder &, mlir::Value stored, DType from, mlir::Type compute, const Target &);

/// `computed` (f32 or f64, scalar or vector) rounded once to `to`, as storage_type(to). The rules are those of store_element in
/// dsl/dtype.h.
mlir::Value narrow(mlir::ImplicitLocOpBuilder &, mlir::Value computed, DType to, const Target &);

} // namespace normforge::nest
