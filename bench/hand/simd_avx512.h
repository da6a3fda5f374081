// Sixteen floats in an AVX-512 register, under the names that kernels.h uses; see simd_avx2.h for how bfloat16 is held.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace {

struct Simd {
  using Floats = __m512;
  using Words = __m512i;
  static constexpr int kLanes = 16;

  static Floats splat(float v) { return _mm512_set1_ps(v); }
  static Floats load(const float *p) { return _mm512_loadu_ps(p); }
  static void store(float *p, Floats v) { _mm512_storeu_ps(p, v); }
  static void stream(float *p, Floats v) { _mm512_stream_ps(p, v); }
  static Words load(const uint16_t *p) { return _mm512_loadu_si512(p); }
  static void store(uint16_t *p, Words v) { _mm512_storeu_si512(p, v); }
  static void stream(uint16_t *p, Words v) { _mm512_stream_si512(reinterpret_cast<Words *>(p), v); }

  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  static Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  static Floats round(Floats v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

  static Floats scale(Floats v, Floats n) { return _mm512_scalef_ps(v, n); }
  static Floats first(int count, Floats a, Floats b) { return _mm512_mask_blend_ps(__mmask16((1u << count) - 1), b, a); }
  static float sum(Floats v) { return _mm512_reduce_add_ps(v); }
  static float greatest(Floats v) { return _mm512_reduce_max_ps(v); }

  static Floats widen_even(Words v) { return _mm512_castsi512_ps(_mm512_slli_epi32(v, 16)); }
  static Floats widen_odd(Words v) { return _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32(int(0xffff0000)))); }
  static Words narrow(Floats even, Floats odd) {
    return _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(rounded(even), 16), rounded(odd));
  }

private:
  static Words rounded(Floats v) {
    const Words bits = _mm512_castps_si512(v), last = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    return _mm512_add_epi32(bits, _mm512_add_epi32(last, _mm512_set1_epi32(0x7fff)));
  }
};

} // namespace
