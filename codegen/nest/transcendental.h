// The transcendental functions, each for f32 and f64 scalars and vectors. The same formulas serve both; degrees and constants differ.
#pragma once

#include "codegen/nest/expression.h"

namespace normforge::nest {

Expr emit_exp(Expr x);
Expr emit_exp2(Expr x);
Expr emit_log(Expr x);
Expr emit_log2(Expr x);
Expr emit_tanh(Expr x);
Expr emit_erf(Expr x);
Expr emit_sigmoid(Expr x); ///< 1 / (1 + exp(-x))

/// exp(x) for x in [-80, 80], where neither overflow nor subnormal results can occur: cheaper than emit_exp.
Expr emit_exp_small(Expr x);
/// exp(x) for x <= 0 and NaN, down to subnormal results.
Expr emit_exp_negative(Expr x);

} // namespace normforge::nest
