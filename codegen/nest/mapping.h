// How a nest is laid out in code: what the knobs of every backend come down to. It changes speed and never a bit.
#pragma once

namespace normforge::nest {

/// What later sweeps need of a point: read and computed again, or left in a buffer of the row's own, or in an output until that is written
/// (nest/residency.h).
enum class Keep { reread, scratch, registers, output };

struct NestMapping {
  int rows;   ///< that are worked on at once
  int unroll; ///< blocks of lanes per iteration
  int vector; ///< bits of registers; 0: they hold one lane each
  int tile;   ///< elements of a block where the contiguous axis is kept
  int share;  ///< where it is reduced: lanes that the threads of a row have at once; 1: one thread has them all
  Keep keep;
  bool stream;  ///< stores that bypass the caches
  int prefetch; ///< groups of rows ahead; 0: none
  int split;    ///< parts of a row; 1: rows stay whole
};

} // namespace normforge::nest
