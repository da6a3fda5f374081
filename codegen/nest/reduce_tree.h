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
// Squares about a mean (Sweep::moments, with Numerics::chunked) are about the mean of a chunk's lane, and merge by the formula of
// codegen/moments.cpp: beside them stand the sum and the number of the lane's elements.
//
// max and min pass NaN on, which x86's instructions don't. An accumulator of them ignores NaNs, which takes one instruction, and a second
// one beside it keeps the last NaN, so that neither waits for the other; they meet before the lanes fold.
#pragma once

#include "codegen/nest/ir.h"
#include "codegen/nest/nest_shape.h"
#include "codegen/sweep_plan.h"

namespace normforge::nest {

struct Accumulator {
  Op reduction;      ///< sum, max or min
  bool nans = false; ///< keeps NaNs alone
  int total = -1;    ///< of squares about a mean: the accumulator of the sum; else -1
  double start() const;
};

/// The accumulators of a reduction.
std::vector<Accumulator> accumulators_of(Op reduction);

/// What a sweep accumulates for `rows` rows at once: by row and reduction. If it runs chunk by chunk with the sweep after it, then by row
/// and moment of that one, and at last the number of elements.
std::vector<Accumulator> accumulators_of(const Program &, const Nest &, size_t sweep, size_t rows);

/// Which of its accumulators is the first of a reduction.
size_t accumulator_of(const Program &, const Sweep &, size_t row, NodeId reduction);

/// left op right, as partial results of an accumulator merge that has nothing to do with others.
Value combine(Ir &, Accumulator, Value left, Value right);

/// left op right, as the partial results of all accumulators merge.
Values merge(Ir &, llvm::ArrayRef<Accumulator>, mlir::ValueRange left, mlir::ValueRange right);

/// sum / count where there is anything, by lane.
Value mean_of(Ir &, Value sum, Value count);

/// Where a tree leaves partial results until their turn comes: slots of one vector each.
struct TreeMemory {
  Value base;
  int64_t stride = 1;     ///< from slot to slot, in vectors
  unsigned alignment = 1; ///< bytes
};

/// Vectors that a tree of `accumulators` stores at most: one per accumulator and level.
int64_t tree_slots(size_t accumulators, int64_t max_chunks);

class ReduceTree {
public:
  /// `group`: runs per chunk (grouped only). `memory`: unless the shape is `one`.
  ReduceTree(Ir &ir, std::vector<Accumulator> accumulators, mlir::VectorType type, ChunkShape shape, Value group, TreeMemory memory);

  /// What loops carry: the accumulators, and behind them what the shape needs besides.
  Values start();
  const std::vector<Accumulator> &accumulators() const { return all; }
  /// Ends a piece of a run; `ends_run` says whether it was the run's last.
  Values end_piece(mlir::ValueRange state, Value ends_run);
  /// The results, one vector per accumulator.
  Values finish(mlir::ValueRange state);

  /// The same for whole chunks, of which `ended` have ended before: takes one in, and says how many have ended now.
  Value push(mlir::ValueRange chunk, Value ended);
  Values result(Value ended);

  ChunkShape shape() const { return tree_shape; }

private:
  Values close(mlir::ValueRange state);
  Values merged(mlir::ValueRange left, mlir::ValueRange right) { return merge(ir, all, left, right); }
  Values stored(Value level);
  Value slot(Value level, size_t accumulator);

  Ir &ir;
  std::vector<Accumulator> all;
  mlir::VectorType type;
  ChunkShape tree_shape;
  Value group;
  TreeMemory memory; // by level and accumulator
};

/// `best` of a max or min, but where `nans` holds one.
Value with_nans(Ir &, Value best, Value nans);

/// Of a vector: the even lanes or the lower half (0), the odd ones or the upper half (1).
Value half_of(Ir &, Value vector, int64_t half, bool high);

/// The lanes of a sum folded into a scalar.
Value fold_lanes(Ir &, Value sums, bool high);

/// The lanes of a max or min, whose NaNs are in `nans`. A step that minds NaNs takes four times as long, and most rows have none.
Value fold_lanes(Ir &, Op reduction, Value best, Value nans, bool high);

/// The lanes of squares about a mean, of which `sums` and `counts` tell the rest.
Value fold_moments(Ir &, Value squares, Value sums, Value counts, bool high);

} // namespace normforge::nest
