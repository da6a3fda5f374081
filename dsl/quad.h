// Quadruple precision: what the reference computes in when an input is f64, so that f64 kernels are compared with something better than
// themselves. At a mean of 1e6 a centred value then has twice the digits of f64, where long double would lose nine bits of it.
// The functions are the C library's, under names of our own: its header hides them from some compilers.
#pragma once

namespace normforge {

using Quad = __float128;

extern "C" {
Quad quad_sqrt(Quad) __asm__("sqrtf128");
Quad quad_exp(Quad) __asm__("expf128");
Quad quad_exp2(Quad) __asm__("exp2f128");
Quad quad_log(Quad) __asm__("logf128");
Quad quad_log2(Quad) __asm__("log2f128");
Quad quad_tanh(Quad) __asm__("tanhf128");
Quad quad_erf(Quad) __asm__("erff128");
Quad quad_floor(Quad) __asm__("floorf128");
Quad quad_ceil(Quad) __asm__("ceilf128");
Quad quad_nearbyint(Quad) __asm__("nearbyintf128");
}

} // namespace normforge
