// The order of a reduction, which fixes its bits. For each row and reduction there is an accumulator, a vector with one partial result per
// lane:
//
//   lanes   element j of a run goes to lane j mod lanes, in increasing j. Across the contiguous axis each lane is a kept index and takes
//           every element of it.
//   chunks  a chunk is `chunk` elements of a run (the last one of a run may have fewer), or group = max(1, chunk / run) whole runs where
//   runs
//           are shorter than that. Runs are counted as they come; those past a ragged length do not exist.
//   merge   chunks merge lane by lane as in a binary counter: after chunk i, as many stored partial results as i + 1 has trailing zero bits
//   are
//           added on the left. At the end, what is stored merges from the right.
//   fold    the lanes of the result fold by halves: the upper half onto the lower (fold=high), or odd lanes onto even ones.
//
// Accumulators start at the identity, so lanes without an element hold it. No loop shape, row count or vector width enters here.
//
// max and min pass NaN on, which x86's instructions don't. An accumulator of them ignores NaNs, which takes one instruction, and a second
// one beside it keeps the last NaN, so that neither waits for the other; they meet before the lanes fold.
#pragma once

#include "codegen/sweep_plan.h"
#include "codegen/x86/ir.h"
#include "codegen/x86/nest_shape.h"

namespace normforge::x86 {

struct Accumulator {
  Op reduction;      ///< sum, max or min
  bool nans = false; ///< keeps NaNs alone
  double start() const;
};

/// The accumulators of a reduction.
std::vector<Accumulator> accumulators_of(Op reduction);

/// left op right, as partial results of an accumulator merge.
Value combine(Ir &, Accumulator, Value left, Value right);

class ReduceTree {
public:
  /// `group`: runs per chunk (grouped only). `max_chunks`: what the number of chunks cannot exceed.
  ReduceTree(Ir &ir, std::vector<Accumulator> accumulators, mlir::VectorType type, ChunkShape shape, Value group, int64_t max_chunks);

  /// What loops carry: the accumulators, and behind them what the shape needs besides.
  Values start();
  const std::vector<Accumulator> &accumulators() const { return all; }
  /// Ends a piece of a run; `ends_run` says whether it was the run's last.
  Values end_piece(mlir::ValueRange state, Value ends_run);
  /// The results, one vector per accumulator.
  Values finish(mlir::ValueRange state);

  /// Of a vector of partial results in memory.
  unsigned alignment() const;
  ChunkShape shape() const { return tree_shape; }

private:
  Values push(mlir::ValueRange state);
  Value slot(Value level, size_t accumulator);

  Ir &ir;
  std::vector<Accumulator> all;
  mlir::VectorType type;
  ChunkShape tree_shape;
  Value group;
  Value stack; // by level and accumulator
};

/// `best` of a max or min, but where `nans` holds one.
Value with_nans(Ir &, Value best, Value nans);

/// The lanes of `vector` folded into a scalar.
Value fold_lanes(Ir &, Op reduction, Value vector, bool high);

} // namespace normforge::x86
