// Stages are taken in turn. Before a row is worked on, the copies of the row `stages` - 1 further on begin, into the stage that the row
// before had: a group of copies for each row, empty or not, so that all groups but the last `stages` - 1 have arrived when the row begins.
// Where a row's memory is not aligned nothing is copied, and it is read where it is.
#include "codegen/cuda/async_copy.h"

#include <algorithm>
#include <bit>

#include "codegen/cuda/device.h"
#include "codegen/cuda/emitter.h"
#include "codegen/nest/convert.h"

namespace normforge::cuda {

namespace arith = mlir::arith;
using Predicate = arith::CmpIPredicate;

namespace {

constexpr int64_t kPiece = 16; ///< bytes that a copy of a thread's own moves at most
constexpr int64_t kLeastPiece = 4;

bool is_contiguous(const SweepPlan &plan, const nest::NestShape &shape, int tensor) {
  const AxisSet axes = plan.program().axes_of(plan.program().tensors[size_t(tensor)]);
  return axes && 63 - std::countl_zero(axes) == shape.vector_axis && plan.specialized.layouts[size_t(tensor)] != Layout::any;
}

/// Elements of a tensor that a row has in one of the blocks that share it, its runs padded to what vectors reach.
int64_t row_elements(const SweepPlan &plan, const nest::NestShape &shape, const Threads &threads, AxisSet axes) {
  int64_t elements = 1;
  for (int axis : shape.reduced)
    if (axes & axis_bit(axis)) {
      const int64_t extent = plan.specialized.axes[size_t(axis)].extent.lo;
      elements *= axis == shape.vector_axis ? nest::padded_run(shape, extent) / threads.cluster : extent;
    }
  return elements;
}

} // namespace

Staging staging_of(const SweepPlan &plan, const nest::NestShape &shape, const Threads &threads, const CudaMapping &mapping) {
  Staging staging{.tensors = {}, .stages = mapping.stages, .bulk = mapping.copy == Copy::bulk};
  if (mapping.stages == 1 || !shape.inner || shape.vector_axis < 0 || shape.ragged_reduction || !nest::kept_elements(plan, shape))
    return staging;
  const Program &program = plan.program();
  std::vector<char> seen(program.tensors.size(), 0);
  for (NodeId id : shape.nodes) {
    const Node &node = program.node(id);
    if (node.op != Op::tensor || program.tensors[size_t(node.symbol)].role != Tensor::input || std::exchange(seen[size_t(node.symbol)], 1))
      continue;
    const int64_t bytes = info(*plan.specialized.dtypes[size_t(node.symbol)]).bytes, vector = bytes * threads.vector;
    if (threads.vector == 1 || vector < kLeastPiece || !is_contiguous(plan, shape, node.symbol))
      continue;
    const bool every_row = (node.axes & shape.nest.kept) != 0;
    int64_t &end = every_row ? staging.stage_bytes : staging.common_bytes;
    staging.tensors.push_back({node.symbol, every_row, end});
    end += int64_t(llvm::alignTo(row_elements(plan, shape, threads, node.axes) * bytes, kPiece));
  }
  return staging;
}

/// A view for each staged tensor, as a row buffer's; where it begins, take_stage() and make_staging() say.
void Emitter::make_staging() {
  staged.assign(plan.program().tensors.size(), -1);
  if (staging.tensors.empty())
    return;
  launch.shared_bytes = int64_t(llvm::alignTo(launch.shared_bytes, kPiece));
  Value number = arith::ExtUIOp::create(ir, ir.getI64Type(), row_index(ir));
  stages = ir.address(shared_memory(ir), ir.getI8Type(), ir.add(ir.i64(launch.shared_bytes), ir.mul(number, ir.i64(staging.bytes()))));
  launch.shared_bytes += staging.bytes() * row.threads.rows;
  for (const StagedTensor &tensor : staging.tensors) {
    const View &from = views[size_t(tensor.tensor)];
    View view{.dtype = from.dtype, .axes = from.axes & shape.nest.reduced, .contiguous = true, .own = true};
    view.stride.resize(size_t(rank()));
    for (int axis = 0; axis < rank(); ++axis)
      if (view.axes & axis_bit(axis))
        view.stride[size_t(axis)] = ir.i64(row_elements(plan, shape, row.threads, view.axes & ~((axis_bit(axis) << 1) - 1)));
    view.base = ir.address(stages, ir.getI8Type(), ir.i64(tensor.offset));
    staged[size_t(tensor.tensor)] = int(views.size());
    views.push_back(view);
  }
}

/// From here on, rows are read from (and copied to) that stage.
void Emitter::take_stage(Value stage) {
  mbarrier = ir.address(stages, ir.getI8Type(), ir.add(ir.i64(staging.mbarriers()), ir.mul(stage, ir.i64(kMbarrier))));
  Value first = ir.address(stages, ir.getI8Type(), ir.add(ir.i64(staging.common_bytes), ir.mul(stage, ir.i64(staging.stage_bytes))));
  for (const StagedTensor &tensor : staging.tensors)
    if (tensor.every_row)
      views[size_t(staged[size_t(tensor.tensor)])].base = ir.address(first, ir.getI8Type(), ir.i64(tensor.offset));
}

/// Begins to copy what all rows read, for those that are aligned.
void Emitter::fetch_common() {
  const auto is_common = [&](size_t view) {
    return std::ranges::any_of(staging.tensors, [&](const StagedTensor &each) { return !each.every_row && size_t(each.tensor) == view; });
  };
  const Frame frame = frame_at(ir.i64(0));
  ir.when(is_aligned(frame, is_common), [&] { copy_staged(false, frame); });
}

/// Begins to copy what the row of an item reads, where there is such an item.
void Emitter::fetch(Value item) {
  ir.when(ir.is(Predicate::slt, item, entry->getArgument(1)), [&] {
    at_item(item, 1, [&](Frames &rows) { ir.when(is_aligned(rows.front()), [&] { copy_staged(true, rows.front()); }); });
    if (staging.bulk)
      arrive_at_mbarrier(ir, mbarrier);
  });
}

/// What all rows read, and the rows before the last stage: one group of copies per row, or one phase of a stage's mbarrier. What goes from
/// row to row: the stage of the next and, of bulk copies, the parity of its phase.
nest::Values Emitter::fetch_first(Value item, Value step) {
  if (staging.bulk)
    open_stages();
  by_copier([&] {
    take_stage(ir.i64(0));
    ir.when(ir.is(Predicate::slt, item, entry->getArgument(1)), [&] { fetch_common(); });
    ir.loop(ir.i64(0), ir.i64(staging.stages - 1), 1, {}, [&](Value stage, mlir::ValueRange) {
      take_stage(stage);
      fetch(ir.add(item, ir.mul(stage, step)));
      if (!staging.bulk)
        commit_copies(ir);
      return nest::Values();
    });
  });
  return staging.bulk ? nest::Values{ir.i64(0), ir.i64(0)} : nest::Values{ir.i64(0)};
}

/// Begins to copy the row that is to come last of those under way, and waits for `item`, whose stage is in `carried`. Returns what the next
/// row is to carry.
nest::Values Emitter::fetch_next(Value item, Value step, mlir::ValueRange carried) {
  const int ahead = staging.stages - 1;
  Value stage = carried.front();
  const auto or_around = [&](int64_t at, Value then, Value otherwise) -> Value {
    return arith::SelectOp::create(ir, ir.is(Predicate::eq, stage, ir.i64(at)), then, otherwise);
  };
  if (staging.bulk)
    leave_stage();
  by_copier([&] {
    take_stage(or_around(0, ir.i64(ahead), ir.sub(stage, ir.i64(1))));
    fetch(ir.add(item, ir.mul(step, ir.i64(ahead))));
  });
  if (!staging.bulk) {
    commit_copies(ir);
    wait_for_copies(ir, ahead);
  }
  take_stage(stage);
  nest::Values next{or_around(ahead, ir.i64(0), ir.add(stage, ir.i64(1)))};
  if (staging.bulk) {
    Value parity = carried.back();
    wait_for_mbarrier(ir, mbarrier, arith::TruncIOp::create(ir, ir.getI32Type(), parity));
    next.push_back(or_around(ahead, ir.sub(ir.i64(1), parity), parity));
  }
  return next;
}

void Emitter::copy_staged(bool every_row, const Frame &frame) {
  for (const StagedTensor &tensor : staging.tensors)
    if (tensor.every_row == every_row)
      for_runs(tensor.tensor, 0, frame, [&](const Frame &run) {
        if (staging.bulk)
          return copy_in_bulk(tensor.tensor, run);
        for_blocks(run, [&](const Frame &block, Value left) { copy_block(tensor.tensor, block, left); });
      });
}

/// At the start of each run that a tensor has along the reduced axes from `depth` on.
void Emitter::for_runs(int tensor, size_t depth, const Frame &frame, const std::function<void(const Frame &run)> &body) {
  const int axis = shape.reduced[depth];
  if (axis == shape.vector_axis)
    return body(frame);
  if (!(views[size_t(tensor)].axes & axis_bit(axis)))
    return for_runs(tensor, depth + 1, frame, body);
  ir.loop(ir.i64(0), extents[size_t(axis)], 1, {}, [&](Value index, mlir::ValueRange) {
    Frame inner = frame;
    bind(inner, axis, index);
    for_runs(tensor, depth + 1, inner, body);
    return nest::Values();
  });
}

/// For each block of lanes of a run. Of the last, `left` lanes exist (else null: all).
void Emitter::for_blocks(const Frame &run, const std::function<void(const Frame &block, Value left)> &body) {
  const auto at = [&](Value index, Value left) {
    Frame block = run;
    bind(block, shape.vector_axis, index);
    body(block, left);
    return nest::Values();
  };
  const Value extent = extents[size_t(shape.vector_axis)], none = ir.i64(0);
  Value full = ir.round_down(extent, shape.width), left = ir.sub(extent, full);
  ir.loop(none, full, shape.width, {}, [&](Value index, mlir::ValueRange) { return at(index, {}); }, unrolls(shape, residency));
  ir.when(ir.is(Predicate::sgt, left, none), [&] { at(full, left); });
}

/// Copies the thread's lanes of a block, of which `active` exist (null: all); zeros take the place of others.
void Emitter::copy_block(int tensor, const Frame &frame, Value active) {
  const View &view = views[size_t(tensor)];
  const size_t near = size_t(staged[size_t(tensor)]);
  const mlir::Type element = nest::storage_type(ir.getContext(), view.dtype);
  const int64_t bytes = info(view.dtype).bytes, vector = bytes * row.threads.vector, piece = std::min(kPiece, vector);
  Value from = address_of(view, size_t(tensor), frame);
  for (int group = 0; group < row.threads.groups; ++group) {
    Value to = own_address(views[near], near, frame, group);
    for (int64_t at = 0; at < vector; at += piece) {
      Value first = ir.add(row.lane, ir.i64(group * row.threads.stride() + at / bytes)), exist;
      if (active) {
        exist = ir.min(ir.max(ir.mul(ir.sub(active, first), ir.i64(bytes)), ir.i64(0)), ir.i64(piece));
        first = ir.min(first, ir.round_down(active, piece / bytes)); // an aligned address that is there, or is not read
      }
      copy_async(ir, ir.address(to, ir.getI8Type(), ir.i64(at)), ir.address(from, element, first), int(piece), exist);
    }
  }
}

} // namespace normforge::cuda
