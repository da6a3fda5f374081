// Pointwise operations as MLIR. Exact ones become the instruction of that name; transcendental ones are expanded into one set of
// polynomials, so that every machine gives the same bits: no libm, nothing contracted, no approximate instruction.
#pragma once

#include <cstdint>

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include "codegen/target.h"
#include "dsl/program.h"

namespace normforge::nest {

/// Emits the pointwise or compare op `op` (pow, cast and stored excepted) on f32 or f64 scalars or vectors, all of one type. Compares
/// give i1 or a vector of i1, which is what select takes first. `fma`: polynomials use fused multiply-adds; otherwise multiplies and adds
/// are kept apart. exp, exp2, log, log2, tanh, erf and sigmoid are within 2 ulp.
/// `target` chooses instructions, never bits.
mlir::Value emit_pointwise(mlir::ImplicitLocOpBuilder &, Op op, mlir::ValueRange operands, bool fma, const Target &target);

/// base ^ exponent by repeated squaring, the reciprocal taken last: x^0 = 1, x^-2 = 1 / (x * x).
mlir::Value emit_power(mlir::ImplicitLocOpBuilder &, mlir::Value base, int64_t exponent);

/// `value`, rounded to the element type of `type`, in every element.
mlir::Value emit_constant(mlir::ImplicitLocOpBuilder &, mlir::Type type, double value);

} // namespace normforge::nest
