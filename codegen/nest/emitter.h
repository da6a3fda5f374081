// Emits one nest of a sweep plan as a function. The class is spread over files by what they emit:
//   emit_kernel.cpp   arguments, the place of a work item, row buffers
//   emit_sweep.cpp    a sweep: loops over the reduced axes, chunks, blocks of lanes, tails
//   emit_caches.cpp   its streaming stores and prefetches
//   emit_chunks.cpp   two sweeps that run chunk by chunk
//   emit_split.cpp    the steps of a nest whose rows are split
//   emit_point.cpp    the value of a node at the point where the loops stand
//   access.cpp        addresses, conversions, what is written where
//   reduce_tree.cpp   accumulators and the order in which they merge
// What depends on the machine is virtual: a CPU's thread has a block of lanes for itself (codegen/x86/emitter.h), a GPU's threads share one
// (codegen/cuda/emitter.h).
#pragma once

#include "codegen/nest/ir.h"
#include "codegen/nest/lane_order.h"
#include "codegen/nest/nest_shape.h"
#include "codegen/nest/reduce_tree.h"
#include "codegen/nest/residency.h"
#include "codegen/nest/split.h"
#include "codegen/target.h"

namespace normforge::nest {

/// A tensor, a temporary or a row buffer as the function sees it.
struct View {
  DType dtype = DType::f32;
  AxisSet axes = 0;
  Value base;                ///< null: not used here
  std::vector<Value> stride; ///< by axis, in elements
  bool contiguous = false;   ///< neighbours along the vector axis are neighbours in memory
  bool own = false;          ///< the row's own buffer: padded to whole vectors, and where the vector axis is kept, one tile of it
};

/// How many elements a vector value stands for.
struct Lanes {
  int width = 0; ///< 0: scalars
  Value active;  ///< how many of them exist, in memory order; null: all
  Value mask;    ///< the same as a vector of i1, in lane order
  Value stored;  ///< and in memory order
};

/// Where the loops stand for one row, and what is known there.
struct Frame {
  std::vector<Value> index;   ///< by axis; null: not bound
  std::vector<Value> pointer; ///< by view: its address at the bound axes other than the vector axis
  std::vector<Value> value;   ///< by node; null: not evaluated
  std::vector<Value> splat;   ///< by node: a scalar value in every lane
  Lanes lanes;
};
using Frames = llvm::SmallVector<Frame>;

/// A part of a row, in pieces of runs: a run has `per_run`, and pieces count on from run to run.
struct Part {
  Value number;     ///< of a split row; null: the row is whole
  Value begin, end; ///< null end: a single piece
  Value per_run;
};

/// Partial results of a reduction, one per lane.
struct LaneSums {
  Op reduction;
  Value lanes;
  Value nans;     ///< of a max or min: holds the NaNs that `lanes` has left out; else null
  int total = -1; ///< of squares about a mean: which of the sums that fold with it is theirs; else -1
};

class Emitter {
public:
  /// `record`: of a nest whose rows are split.
  Emitter(Ir &ir, const SweepPlan &plan, const NestShape &shape, const Numerics &numerics, const NestMapping &mapping, const Target &target,
          const std::optional<RowRecord> &record);
  virtual ~Emitter() = default;

protected:
  using RowsBody = std::function<void(Frames &rows)>;

  // What the machine decides
  /// An entry of nf_kernel_args, `offset` bytes from its beginning.
  virtual Value argument(mlir::Type type, size_t offset) = 0;
  virtual Value buffer_memory(int64_t bytes) { return ir.stack(bytes); }
  virtual int sharers() const { return 1; }              ///< how many own a part each of a row's buffer
  virtual bool loads_first() const { return false; }     ///< of all blocks of an iteration, before any is worked on
  virtual int lane_count() const { return shape.width; } ///< of the vectors that stand for a block
  /// For a tree whose vectors have that type. Trees that share it are not in use at the same time. `unrolled`: all its slots have known
  /// numbers.
  virtual TreeMemory tree_memory(mlir::VectorType type, int64_t slots, bool unrolled) = 0;
  virtual int64_t most_points() const = 0; ///< elements that a work item can go over, as the machine's memory has room for no more
  virtual Lanes lanes_of(int width, Value active) = 0;
  /// One element per lane, in the compute type.
  virtual Value load_lanes(int tensor, const Frame &frame) = 0;
  virtual void store(int tensor, Value value, const Frame &frame, bool nontemporal = false) = 0;
  /// Scalars: what the lanes of each sum come to. Squares about a mean come last; `counts`: elements of each lane, where there are any.
  virtual Values fold(llvm::ArrayRef<LaneSums> sums, Value counts) = 0;
  virtual void write_row_outputs(const std::vector<Write> &writes, Frames &rows);
  /// A scalar, or a vector of lanes, between a row's record and the threads that have the row.
  virtual void store_record(Value value, Value at, unsigned alignment) { ir.store(value, at, alignment); }
  virtual Value load_record(mlir::Type type, Value at, unsigned alignment) { return ir.load(type, at, alignment); }
  /// Emits the body, once for each way in which the row's memory may lie.
  virtual void as_memory_lies(Frames &rows, const RowsBody &body) { body(rows); }

  // emit_kernel.cpp
  void load_arguments();
  View make_view(int tensor);
  Value load_extent(int axis);
  Value load_buffer(int buffer);
  void at_item(Value item, int rows, const RowsBody &body);
  void at_tile(Value item, const RowsBody &body);
  Frame frame_at(Value item);
  void make_buffers();
  void emit_rows(Frames &rows);
  void if_kept(Frame &frame, const std::function<void()> &body);

  // emit_sweep.cpp
  void emit_sweep(size_t sweep, Frames &rows);
  Value runs_per_chunk();
  Part whole_row(const Frames &rows);
  Value pieces_of_run(Value run);
  friend class SweepEmitter;

  // emit_split.cpp
  /// How each row is divided. All in pieces of runs, but `parts`.
  struct Division {
    Value per_run, per_row, per_part;
    Value parts; ///< that have anything to do
  };
  Division divide();
  void emit_step_at(const NestStep &step, const Division &division, Value item);
  void emit_step_of(const NestStep &step, const Division &division, Frames &row, Value row_record, Value part);
  void move_known(const std::vector<NodeId> &nodes, Frames &row, Value row_record, bool store);
  void write_rows(Frames &row);

  // emit_point.cpp
  Value evaluate(NodeId id, Frame &frame);
  void evaluate(NodeId id, Frames &rows);
  void evaluate_bound(const std::vector<NodeId> &nodes, Frames &rows);
  int temporary_of(NodeId id) const;
  Value compute(NodeId id, Frame &frame);
  Value evaluate_first(const Node &node, Frame &frame);
  Value fused(const Node &node, Frame &frame);
  AxisSet length_axes(AxisSet over) const;
  void bind_first(AxisSet over, Frame &frame);
  Value count_over(AxisSet over, Frame frame);
  Value in_lanes(NodeId id, Frame &frame);
  bool is_bound(AxisSet axes, const Frame &frame) const;

  // access.cpp
  void bind(Frame &frame, int axis, Value index);
  void rebind(Frame &frame, int axis, Value index);
  Value address_of(const View &view, size_t index, const Frame &frame);
  Value bound_of(int axis, const Frame &frame);
  Value load(int tensor, const Frame &frame);
  void store_element(int tensor, Value value, const Frame &frame);
  Value widened(const View &view, Value stored);
  Value narrowed(const View &view, Value computed);
  void write(const Write &write, Frame &frame, bool asks, bool nontemporal = false);
  int buffer_of(NodeId kept) const;

  int rank() const { return int(plan.program().axes.size()); }
  const Node &node(NodeId id) const { return plan.program().node(id); }
  bool varies(NodeId id, int axis) const { return axis >= 0 && (node(id).axes & axis_bit(axis)); }

  Ir &ir;
  const SweepPlan &plan;
  const NestShape &shape;
  const Numerics &numerics;
  const NestMapping &mapping;
  const Target &target;
  const Residency residency;
  const std::optional<RowRecord> record;
  const bool short_nans;
  const bool paired; // lanes hold even elements, then odd ones
  mlir::Type compute_type;
  Value records;              // where the rows' records begin
  std::vector<char> filled;   // by node: its buffer holds the row's values
  std::vector<View> views;    // tensors, then temporaries, then row buffers
  std::vector<Value> extents; // by axis
  std::vector<Value> scalars; // by scalar, in the compute type
};

} // namespace normforge::nest
