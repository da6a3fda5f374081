// erf(x): an odd polynomial below 1; beyond, 1 - exp(G(x)), where G approximates log(erfc). exp's error counts only as much as erfc is
// part of the result, 0.16 at 1 and ever less.
#include "codegen/nest/polynomials.h"
#include "codegen/nest/transcendental.h"

namespace normforge::nest {

Expr emit_erf(Expr x) {
  const bool f64 = x.is_f64();
  const std::span<const double> small = f64 ? std::span<const double>(polynomials::kErfSmallF64) : polynomials::kErfSmallF32;
  const std::span<const double> large = f64 ? std::span<const double>(polynomials::kErfLargeF64) : polynomials::kErfLargeF32;
  const Expr one_from = x.constant(f64 ? 6.0 : 4.0); // erf rounds to 1
  const Expr z = absolute(x);
  const Expr near = multiply_add(z, polynomial(z * z, small), z);
  const Expr far = 1.0 - emit_exp_small(polynomial(select(less(one_from, z), one_from, z), large));
  return copy_sign(select(less(z, x.constant(1.0)), near, far), x);
}

} // namespace normforge::nest
