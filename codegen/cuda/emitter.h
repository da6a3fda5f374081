// Emits one nest of a sweep plan as a kernel. The sweeps and their sums are those of x86 (codegen/nest/emitter.h); a block of lanes is
// divided over the threads of a row (threads.h), and the last steps of a sum cross threads (fold.h).
//
// A row's threads take the same branches, so that they meet at every shuffle and barrier; rows of a block know nothing of each other.
// Each row is emitted twice, for vector accesses and for accesses of single elements, and takes the first where all its memory is aligned.
#pragma once

#include "codegen/cuda/async_copy.h"
#include "codegen/cuda/threads.h"
#include "codegen/kernel.h"
#include "codegen/nest/emitter.h"

namespace normforge::cuda {

using nest::Frame;
using nest::Frames;
using nest::Ir;
using nest::Lanes;
using nest::Value;
using nest::View;

/// What the threads of one row know of themselves.
struct Row {
  Threads threads;
  Value thread;  ///< i64, within the row
  Value local;   ///< i64, within the row's part of the block: the same, where the block has all of the row
  Value lane;    ///< i64: the first of the thread's lanes
  Value warp;    ///< i64, within the row
  Value mask;    ///< i32: the row's threads of this warp
  Value first;   ///< i32: the first of those
  Value barrier; ///< i32: the row's own in its block, where it has more than one warp there
  Value shared;  ///< where partial sums of several warps meet; null: one warp

  /// Waits for all threads of the row, or for those in the same block.
  void sync(Ir &) const;
  void sync_block(Ir &) const;
};

class Emitter : public nest::Emitter {
public:
  Emitter(Ir &, const SweepPlan &, const nest::NestShape &, const Numerics &, const nest::NestMapping &, const Target &,
          const std::optional<nest::RowRecord> &record, const Threads &, const CudaMapping &);

  /// Emits `void symbol(i64 begin, i64 end, …)`, which does the items [begin, end) of a step: block b does `rows` of them from begin + b *
  /// rows on, and in a persistent grid those that lie whole grids further on. The further parameters are entries of nf_kernel_args.
  Launch emit(llvm::StringRef symbol, const nest::NestStep &step);

private:
  // What nest::Emitter leaves to the machine
  Value argument(mlir::Type type, size_t offset) override;
  Value buffer_memory(int64_t bytes) override;
  nest::TreeMemory tree_memory(mlir::VectorType type, int64_t slots, bool unrolled) override;
  int64_t most_points() const override { return cuda::most_points(plan, shape, numerics, mapping.split); }
  int sharers() const override { return keep == Keep::registers ? row.threads.count : row.threads.cluster; }
  bool loads_first() const override { return true; }
  int lane_count() const override { return row.threads.lanes(); }
  Lanes lanes_of(int width, Value active) override;
  Value load_lanes(int tensor, const Frame &frame) override;
  void store(int tensor, Value value, const Frame &frame, bool nontemporal) override;
  nest::Values fold(llvm::ArrayRef<nest::LaneSums> sums, Value counts) override;
  void write_row_outputs(const std::vector<Write> &writes, Frames &rows) override;
  void store_record(Value value, Value at, unsigned alignment) override;
  Value load_record(mlir::Type type, Value at, unsigned alignment) override;
  void as_memory_lies(Frames &rows, const RowsBody &body) override;

  void enter();
  void promise(const nest::NestStep &step);
  void place(Value thread);
  void for_items(const std::function<void(Value item)> &body);
  void emit_item(const nest::NestStep &step, Value item);
  void part_rows();
  bool is_only_read(int tensor) const;
  Value is_aligned(const Frame &frame, const std::function<bool(size_t view)> &counts = {});
  bool may_be_aligned() const;
  bool is_row_buffer(size_t view) const;
  bool moves_vectors(const View &view) const;
  bool whole_vectors() const;
  unsigned alignment_of(const View &view) const;
  unsigned row_alignment(size_t view) const;
  Value own_address(const View &view, size_t index, const Frame &frame, int group);
  Value record_address(Value at, int group);
  unsigned record_alignment(unsigned alignment) const;

  void make_staging();
  void take_stage(Value stage);
  nest::Values fetch_first(Value item, Value step);
  nest::Values fetch_next(Value item, Value step, mlir::ValueRange carried);
  void fetch_common();
  void fetch(Value item);
  void copy_staged(bool every_row, const Frame &frame);
  void for_runs(int tensor, size_t depth, const Frame &frame, const std::function<void(const Frame &run)> &body);
  void for_blocks(const Frame &run, const std::function<void(const Frame &block, Value left)> &body);
  void copy_block(int tensor, const Frame &frame, Value active);

  // bulk_copy.cpp
  void by_copier(const std::function<void()> &body);
  void open_stages();
  void leave_stage();
  void clear_ends(bool every_row);
  void copy_in_bulk(int tensor, const Frame &run);

  Row row;
  const Staging staging;
  Value stages;            ///< where the row has them in shared memory
  Value mbarrier;          ///< of the stage that is taken, where it is filled in bulk
  std::vector<int> staged; ///< by tensor: its view there; -1: it is read where it is
  const Keep keep;
  const int blocks;
  const Grid grid;
  bool wide = false; ///< memory is known to be aligned here
  int folds = 0;     ///< so far: they take turns in shared memory
  int64_t trees = 0; ///< bytes of the largest one's memory, which lies behind all else
  mlir::Block *entry = nullptr;
  std::vector<unsigned> only_read; ///< parameters: memory that nothing writes while the kernel runs
  Launch launch;
};

} // namespace normforge::cuda
