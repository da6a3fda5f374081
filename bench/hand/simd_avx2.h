// Eight floats in an AVX2 register, under the names that kernels.h uses. bfloat16 comes in pairs: the even elements of a register are the
// low halves of its 32-bit words, the odd ones the high halves, so widening is a shift or a mask and no lane moves.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace {

struct Simd {
  using Floats = __m256;
  using Words = __m256i;
  static constexpr int kLanes = 8;

  static Floats splat(float v) { return _mm256_set1_ps(v); }
  static Floats load(const float *p) { return _mm256_loadu_ps(p); }
  static void store(float *p, Floats v) { _mm256_storeu_ps(p, v); }
  static void stream(float *p, Floats v) { _mm256_stream_ps(p, v); }
  static Words load(const uint16_t *p) { return _mm256_loadu_si256(reinterpret_cast<const Words *>(p)); }
  static void store(uint16_t *p, Words v) { _mm256_storeu_si256(reinterpret_cast<Words *>(p), v); }
  static void stream(uint16_t *p, Words v) { _mm256_stream_si256(reinterpret_cast<Words *>(p), v); }

  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
  static Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
  static Floats round(Floats v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

  /// v · 2^n for a whole n of at least -127, where the result is 0.
  static Floats scale(Floats v, Floats n) {
    return mul(v, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23)));
  }

  /// The first `count` lanes of `a`, the rest of `b`.
  static Floats first(int count, Floats a, Floats b) {
    const Words lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(count), lane)));
  }

  static float sum(Floats v) {
    __m128 h = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    h = _mm_add_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
  }
  static float greatest(Floats v) {
    __m128 h = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    h = _mm_max_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_max_ss(h, _mm_movehdup_ps(h)));
  }

  static Floats widen_even(Words v) { return _mm256_castsi256_ps(_mm256_slli_epi32(v, 16)); }
  static Floats widen_odd(Words v) { return _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32(int(0xffff0000)))); }
  static Words narrow(Floats even, Floats odd) { return _mm256_blend_epi16(_mm256_srli_epi32(rounded(even), 16), rounded(odd), 0xaa); }

private:
  /// Adds what makes cutting off the low half round to nearest even.
  static Words rounded(Floats v) {
    const Words bits = _mm256_castps_si256(v), last = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    return _mm256_add_epi32(bits, _mm256_add_epi32(last, _mm256_set1_epi32(0x7fff)));
  }
};

} // namespace
