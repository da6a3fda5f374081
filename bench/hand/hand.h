// Norms as a person would write them with intrinsics, for AVX2 and AVX-512: what generated kernels are measured against, in the benchmark
// and in examples/minilm. Two passes for the statistics with four accumulators or more, one, two or four rows at a time, optionally with
// streaming stores and a prefetch of the rows that come next. Depends on nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace hand {

enum class Norm { layer_norm, rms_norm, softmax };
enum class Element { f32, bf16 };

/// Dense rows of `cols` elements. x, gamma, beta and y are of one element type; softmax reads x alone, rms_norm no beta.
/// x and y must not overlap.
struct Call {
  const void *x, *gamma, *beta;
  void *y;
  int64_t cols;
  float eps;
};

struct Kernel {
  Norm norm;
  Element element;
  int level;     ///< x86-64-v3 (AVX2) or x86-64-v4 (AVX-512)
  int rows;      ///< rows at a time
  bool stream;   ///< stores that bypass the caches; y and its rows must be aligned to 64 bytes
  bool prefetch; ///< fetches the next rows while these are written
  void (*run)(const Call &, int64_t first_row, int64_t end_row);

  bool plain() const { return rows == 1 && !stream && !prefetch; }
};

/// Copies `bytes` (a multiple of 64) between buffers aligned to 64 bytes: how fast memory itself is.
struct Copy {
  int level;
  bool stream;
  void (*run)(const void *from, void *to, int64_t bytes);
};

std::span<const Kernel> avx2_kernels();
std::span<const Kernel> avx512_kernels();
std::span<const Copy> avx2_copies();
std::span<const Copy> avx512_copies();

/// "plain", "2 rows, streaming", …
std::string name(const Kernel &);

/// This thread's scratch memory, aligned to 64 bytes, kept until it asks for more or ends. Not inline: kernels are compiled for wider
/// machines than the rest of the program, and nothing that they share may be.
float *scratch(int64_t floats);

} // namespace hand
