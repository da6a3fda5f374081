// One sweep of a nest as it is emitted: emit_sweep.cpp has its loops, emit_split.cpp those over a part of a row, emit_chunks.cpp those of a
// sweep that runs chunk by chunk with the one after it, and emit_caches.cpp its streaming stores and prefetches.
#pragma once

#include <memory>

#include "codegen/nest/emitter.h"
#include "codegen/nest/reduce_tree.h"

namespace normforge::nest {

class SweepEmitter {
public:
  SweepEmitter(Emitter &kernel, size_t sweep, size_t rows);

  /// The sweep over whole rows; its reductions are then known in their frames.
  void run(Frames &rows);

  // emit_split.cpp
  /// The sweep over a part of one row; `record` takes the partial results.
  void run_part(Frames &row, const Part &part, Value record);
  /// Makes the reductions of a sweep that has run over all `parts` of a row known in its frame.
  void merge_parts(Frames &row, Value parts, Value record);

private:
  ReduceTree make_tree(size_t index, size_t rows);
  void settle(Frames &rows, const Values &results);
  Values level(size_t depth, Frames rows, mlir::ValueRange state);
  Values run_of(const Frames &rows, Value begin, Value end, mlir::ValueRange state);
  Values piece(const Frames &rows, Value begin, Value end, mlir::ValueRange state);
  Frames place(Frames rows, Value index, Value active);
  void load(Frames &rows);
  Values block(Frames rows, mlir::ValueRange state);
  void accumulate(NodeId reduction, Accumulator accumulator, Frame &frame, Value &sum);
  void spread_scalars(Frames &rows);

  // emit_caches.cpp
  Values written_run(const Frames &rows, Value begin, Value end);
  bool is_streamed(const Write &write) const;
  bool lies_alike(const View &view) const;
  void prefetch(const Frame &frame, const std::vector<NodeId> &ids, llvm::ArrayRef<int> axes, Value steps);

  // emit_split.cpp
  Values runs_of(const Part &part, const Frames &row, mlir::ValueRange state);
  Value partial(Value record, Value part, size_t accumulator);
  unsigned record_alignment() const;

  // emit_chunks.cpp
  Values chunks(const Frames &rows, const Part &part);
  Values chunk(const Frames &rows, const Part &pieces);
  Values over_pieces(const Frames &rows, const Part &pieces, mlir::ValueRange state, bool counts);
  struct Piece {
    Frames rows;
    Value begin, end; // of a run
  };
  Piece piece_at(const Frames &rows, const Part &part, Value number);
  Frames at_run(const Frames &rows, Value run);
  void prefetch_chunk(const Frame &frame);
  Value count_of(Value elements);

  Emitter &kernel;
  Ir &ir;
  const NestShape &shape;
  const Sweep &sweep;
  const std::vector<NodeId> &points, &leaves;
  const bool unrolled;        // every loop: its buffers become registers
  const bool prefetches;      // the second sweep, which finds its row in a cache, fetches what the next rows will read
  int64_t streamed_bytes = 0; // of an element that streaming stores write; 0: there are none
  bool nontemporal = false;   // what is written now
  ReduceTree tree;
  std::unique_ptr<SweepEmitter> again; // the sweep that goes over each chunk a second time
};

} // namespace normforge::nest
