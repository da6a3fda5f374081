// The kernels over a `Simd` of one instruction set. A row is cut into tiles of one register in memory: a vector of f32, or two vectors
// (even and odd elements) of bf16, whose order no reduction minds. All in unnamed namespaces: each including file is compiled for another
// machine, and a linker must not merge their functions. Tails are right, not fast: the shapes that are measured have none.
#pragma once

#include <string.h>

#include "hand.h"

namespace {

using Floats = Simd::Floats;

struct Full {}; ///< the length of a whole tile, known when compiled; a tail's is an int

/// A tile of f32 or bf16 as vectors of floats.
template <class E> struct Tile {
  static constexpr int kVectors = int(4 / sizeof(E));
  static constexpr int kElements = Simd::kLanes * kVectors;
  Floats v[kVectors];

  static Tile load(const E *p, Full = {}) {
    if constexpr (kVectors == 1) {
      return {Simd::load(p)};
    } else {
      const Simd::Words words = Simd::load(p);
      return {Simd::widen_even(words), Simd::widen_odd(words)};
    }
  }
  static Tile load(const E *p, int count) {
    E padded[kElements] = {};
    memcpy(padded, p, size_t(count) * sizeof(E));
    return load(padded);
  }

  template <bool kStream> void store(E *p, Full) const {
    const auto packed = [&] {
      if constexpr (kVectors == 1)
        return v[0];
      else
        return Simd::narrow(v[0], v[1]);
    }();
    if constexpr (kStream)
      Simd::stream(p, packed);
    else
      Simd::store(p, packed);
  }
  template <bool kStream> void store(E *p, int count) const {
    E padded[kElements];
    store<false>(padded, Full{});
    memcpy(p, padded, size_t(count) * sizeof(E));
  }

  /// How many lanes of vector k hold elements.
  static int lanes(int count, int k) { return (count + kVectors - 1 - k) / kVectors; }
};

/// body(element, slot, length) for each tile of a row, `kUnroll` slots at a time.
template <class E, int kUnroll, class Body> inline void for_tiles(int64_t cols, Body body) {
  constexpr int kElements = Tile<E>::kElements;
  int64_t j = 0;
  for (; j + kUnroll * kElements <= cols; j += kUnroll * kElements)
    for (int u = 0; u < kUnroll; ++u)
      body(j + u * kElements, u, Full{});
  for (; j + kElements <= cols; j += kElements)
    body(j, 0, Full{});
  if (j < cols)
    body(j, 0, int(cols - j));
}

/// Four accumulators a row for one and two rows at a time, two for four: what sixteen AVX2 registers hold.
template <int kRows> constexpr int kAccumulators = kRows == 4 ? 2 : 4;

/// accumulate(accumulator, vector, row) over `kRows` rows `stride` apart, merged by merge(a, b).
template <int kRows, class E, class Accumulate, class Merge>
inline void reduce(const E *x, int64_t stride, int64_t cols, float start, Accumulate accumulate, Merge merge, Floats (&result)[kRows]) {
  constexpr int kVectors = Tile<E>::kVectors, kAll = kAccumulators<kRows>;
  Floats partial[kRows][kAll];
  for (auto &row : partial)
    for (Floats &p : row)
      p = Simd::splat(start);
  for_tiles<E, kAll / kVectors>(cols, [&](int64_t j, int slot, auto length) {
    for (int r = 0; r < kRows; ++r) {
      const Tile<E> tile = Tile<E>::load(x + r * stride + j, length);
      for (int k = 0; k < kVectors; ++k) {
        Floats &p = partial[r][slot * kVectors + k];
        const Floats next = accumulate(p, tile.v[k], r);
        if constexpr (__is_same(decltype(length), Full))
          p = next;
        else
          p = Simd::first(Tile<E>::lanes(length, k), next, p);
      }
    }
  });
  for (int r = 0; r < kRows; ++r) {
    for (int i = 1; i < kAll; ++i)
      partial[r][0] = merge(partial[r][0], partial[r][i]);
    result[r] = partial[r][0];
  }
}

template <int kRows, class E, class Accumulate>
inline void sum(const E *x, int64_t stride, int64_t cols, Accumulate accumulate, float (&result)[kRows]) {
  Floats vectors[kRows];
  reduce<kRows>(x, stride, cols, 0, accumulate, Simd::add, vectors);
  for (int r = 0; r < kRows; ++r)
    result[r] = Simd::sum(vectors[r]);
}

template <class E, int kRows, bool kPrefetch> inline void prefetch_next(const E *x, int64_t cols, int64_t j) {
  if constexpr (kPrefetch)
    for (int r = 0; r < kRows; ++r)
      _mm_prefetch(reinterpret_cast<const char *>(x + (kRows + r) * cols + j), _MM_HINT_T0);
}

template <class E, int kRows, bool kStream, bool kPrefetch> struct LayerNorm {
  static void rows(const hand::Call &call, const E *x, E *y) {
    const int64_t cols = call.cols;
    const float n = float(cols);
    float total[kRows], squares[kRows];
    Floats mean[kRows], scale[kRows], shift[kRows];
    sum<kRows>(x, cols, cols, [](Floats acc, Floats v, int) { return Simd::add(acc, v); }, total);
    for (int r = 0; r < kRows; ++r)
      mean[r] = Simd::splat(total[r] / n);
    sum<kRows>(
        x, cols, cols,
        [&](Floats acc, Floats v, int r) {
          const Floats d = Simd::sub(v, mean[r]);
          return Simd::fma(d, d, acc);
        },
        squares);
    for (int r = 0; r < kRows; ++r) {
      const float rstd = 1 / __builtin_sqrtf(squares[r] / n + call.eps);
      scale[r] = Simd::splat(rstd);
      shift[r] = Simd::splat(-total[r] / n * rstd);
    }
    const E *gamma = static_cast<const E *>(call.gamma), *beta = static_cast<const E *>(call.beta);
    for_tiles<E, 2>(cols, [&](int64_t j, int, auto length) {
      const auto g = Tile<E>::load(gamma + j, length), b = Tile<E>::load(beta + j, length);
      for (int r = 0; r < kRows; ++r) {
        auto tile = Tile<E>::load(x + r * cols + j, length);
        for (int k = 0; k < Tile<E>::kVectors; ++k)
          tile.v[k] = Simd::fma(Simd::fma(tile.v[k], scale[r], shift[r]), g.v[k], b.v[k]);
        tile.template store<kStream>(y + r * cols + j, length);
      }
      prefetch_next<E, kRows, kPrefetch>(x, cols, j);
    });
  }
};

template <class E, int kRows, bool kStream, bool kPrefetch> struct RmsNorm {
  static void rows(const hand::Call &call, const E *x, E *y) {
    const int64_t cols = call.cols;
    float squares[kRows];
    Floats scale[kRows];
    sum<kRows>(x, cols, cols, [](Floats acc, Floats v, int) { return Simd::fma(v, v, acc); }, squares);
    for (int r = 0; r < kRows; ++r)
      scale[r] = Simd::splat(1 / __builtin_sqrtf(squares[r] / float(cols) + call.eps));
    const E *gamma = static_cast<const E *>(call.gamma);
    for_tiles<E, 2>(cols, [&](int64_t j, int, auto length) {
      const auto g = Tile<E>::load(gamma + j, length);
      for (int r = 0; r < kRows; ++r) {
        auto tile = Tile<E>::load(x + r * cols + j, length);
        for (int k = 0; k < Tile<E>::kVectors; ++k)
          tile.v[k] = Simd::mul(Simd::mul(tile.v[k], scale[r]), g.v[k]);
        tile.template store<kStream>(y + r * cols + j, length);
      }
      prefetch_next<E, kRows, kPrefetch>(x, cols, j);
    });
  }
};

/// e^v for v <= 0 within 2 ulp; 0 below -88, where the result would be subnormal. 2^n · e^r with |r| <= ln 2 / 2 and Cephes' polynomial
/// (expf).
inline Floats exp_nonpositive(Floats v) {
  v = Simd::max(v, Simd::splat(-88.0f));
  const Floats n = Simd::round(Simd::mul(v, Simd::splat(1.44269504f)));
  Floats r = Simd::fma(n, Simd::splat(-0.693359375f), v);
  r = Simd::fma(n, Simd::splat(2.12194440e-4f), r);
  Floats p = Simd::splat(1.9875691500e-4f);
  for (float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
    p = Simd::fma(p, r, Simd::splat(c));
  p = Simd::fma(p, Simd::mul(r, r), Simd::add(r, Simd::splat(1)));
  return Simd::scale(p, n);
}

/// The exponentials stay in f32 between the passes: in y itself where that is f32 and not streamed, else in scratch memory, tile by tile.
template <class E, int kRows, bool kStream, bool kPrefetch> struct Softmax {
  static void rows(const hand::Call &call, const E *x, E *y) {
    constexpr int kVectors = Tile<E>::kVectors, kSums = kAccumulators<kRows> / kVectors;
    constexpr bool kInPlace = sizeof(E) == sizeof(float) && !kStream;
    const int64_t cols = call.cols, padded = (cols + Tile<E>::kElements - 1) / Tile<E>::kElements * Tile<E>::kElements;
    float *const exponentials = kInPlace ? nullptr : hand::scratch(kRows * padded);

    Floats top[kRows];
    reduce<kRows>(x, cols, cols, -__builtin_inff(), [](Floats acc, Floats v, int) { return Simd::max(acc, v); }, Simd::max, top);
    for (Floats &t : top)
      t = Simd::splat(Simd::greatest(t));

    Floats partial[kRows][kSums * kVectors];
    for (auto &row : partial)
      for (Floats &p : row)
        p = Simd::splat(0);
    for_tiles<E, kSums>(cols, [&](int64_t j, int slot, auto length) {
      for (int r = 0; r < kRows; ++r) {
        auto tile = Tile<E>::load(x + r * cols + j, length);
        for (int k = 0; k < kVectors; ++k) {
          tile.v[k] = exp_nonpositive(Simd::sub(tile.v[k], top[r]));
          if constexpr (!__is_same(decltype(length), Full))
            tile.v[k] = Simd::first(Tile<E>::lanes(length, k), tile.v[k], Simd::splat(0));
          partial[r][slot * kVectors + k] = Simd::add(partial[r][slot * kVectors + k], tile.v[k]);
          if constexpr (!kInPlace)
            Simd::store(exponentials + r * padded + j + k * Simd::kLanes, tile.v[k]);
        }
        if constexpr (kInPlace)
          tile.template store<false>(y + r * cols + j, length);
      }
    });
    Floats scale[kRows];
    for (int r = 0; r < kRows; ++r) {
      for (int i = 1; i < kSums * kVectors; ++i)
        partial[r][0] = Simd::add(partial[r][0], partial[r][i]);
      scale[r] = Simd::splat(1 / Simd::sum(partial[r][0]));
    }

    for_tiles<E, 2>(cols, [&](int64_t j, int, auto length) {
      for (int r = 0; r < kRows; ++r) {
        Tile<E> tile;
        if constexpr (kInPlace)
          tile = Tile<E>::load(y + r * cols + j, length);
        else
          for (int k = 0; k < kVectors; ++k)
            tile.v[k] = Simd::load(exponentials + r * padded + j + k * Simd::kLanes);
        for (Floats &v : tile.v)
          v = Simd::mul(v, scale[r]);
        tile.template store<kStream>(y + r * cols + j, length);
      }
      prefetch_next<E, kRows, kPrefetch>(x, cols, j);
    });
  }
};

template <template <class, int, bool, bool> class Body, class E, int kRows, bool kStream, bool kPrefetch>
void run(const hand::Call &call, int64_t row, int64_t end) {
  const E *x = static_cast<const E *>(call.x);
  E *y = static_cast<E *>(call.y);
  for (; row + kRows <= end; row += kRows)
    Body<E, kRows, kStream, kPrefetch>::rows(call, x + row * call.cols, y + row * call.cols);
  for (; row < end; ++row)
    Body<E, 1, kStream, false>::rows(call, x + row * call.cols, y + row * call.cols);
  if constexpr (kStream)
    _mm_sfence();
}

template <bool kStream> void copy(const void *from, void *to, int64_t bytes) {
  for_tiles<float, 4>(bytes / 4, [&](int64_t j, int, auto length) {
    const auto tile = Tile<float>::load(static_cast<const float *>(from) + j, length);
    tile.template store<kStream>(static_cast<float *>(to) + j, length);
  });
  if constexpr (kStream)
    _mm_sfence();
}

#define HAND_STORES(norm, Body, E, element, level, rows)                                                                                   \
  {norm, element, level, rows, false, false, run<Body, E, rows, false, false>},                                                            \
      {norm, element, level, rows, false, true, run<Body, E, rows, false, true>},                                                          \
      {norm, element, level, rows, true, false, run<Body, E, rows, true, false>}, {                                                        \
    norm, element, level, rows, true, true, run<Body, E, rows, true, true>                                                                 \
  }
#define HAND_ROWS(norm, Body, E, element, level)                                                                                           \
  HAND_STORES(norm, Body, E, element, level, 1), HAND_STORES(norm, Body, E, element, level, 2),                                            \
      HAND_STORES(norm, Body, E, element, level, 4)
#define HAND_NORM(norm, Body, level)                                                                                                       \
  HAND_ROWS(norm, Body, float, hand::Element::f32, level), HAND_ROWS(norm, Body, uint16_t, hand::Element::bf16, level)

/// The rows of a kernel table for one level.
#define HAND_KERNELS(level)                                                                                                                \
  {HAND_NORM(hand::Norm::layer_norm, LayerNorm, level), HAND_NORM(hand::Norm::rms_norm, RmsNorm, level),                                   \
   HAND_NORM(hand::Norm::softmax, Softmax, level)}

} // namespace
