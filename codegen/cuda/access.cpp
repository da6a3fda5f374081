// Loads and stores of a thread's lanes. A thread reads each of its groups at once where memory is aligned, element by element otherwise.
// Lanes past the end of a row read the last element that exists, and nothing is stored from them.
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "codegen/cuda/emitter.h"
#include "codegen/nest/convert.h"
#include "codegen/nest/math.h"

namespace normforge::cuda {

namespace arith = mlir::arith;
using Predicate = arith::CmpIPredicate;

namespace {

constexpr unsigned kWidest = 16; ///< bytes that one instruction moves

Value insert_at(Ir &ir, Value part, Value whole, int64_t at) {
  return mlir::vector::InsertStridedSliceOp::create(ir, part, whole, llvm::ArrayRef<int64_t>{at}, llvm::ArrayRef<int64_t>{1});
}

Value slice(Ir &ir, Value whole, int64_t at, int64_t count) {
  return mlir::vector::ExtractStridedSliceOp::create(ir, whole, llvm::ArrayRef<int64_t>{at}, llvm::ArrayRef<int64_t>{count},
                                                     llvm::ArrayRef<int64_t>{1});
}

} // namespace

Lanes Emitter::lanes_of(int, Value active) {
  const int lanes = lane_count();
  if (const auto known = nest::constant(active); !active || (known && *known >= shape.width))
    return {lanes, {}, {}, {}};
  llvm::SmallVector<int32_t> numbers;
  for (int i = 0; i < lanes; ++i)
    numbers.push_back(i / row.threads.vector * row.threads.stride() + i % row.threads.vector);
  const mlir::VectorType type = ir.vector(lanes, ir.getI32Type());
  Value elements = arith::ConstantOp::create(ir, type, mlir::DenseElementsAttr::get(type, llvm::ArrayRef(numbers)));
  Value left = ir.createOrFold<arith::TruncIOp>(ir.getI32Type(), ir.sub(active, row.lane));
  Value mask = arith::CmpIOp::create(ir, Predicate::slt, elements, ir.splat(left, lanes));
  return {lanes, active, mask, mask};
}

bool Emitter::moves_vectors(const View &view) const {
  return view.base && !view.own && view.contiguous && row.threads.vector > 1 && (view.axes & axis_bit(shape.vector_axis));
}

unsigned Emitter::alignment_of(const View &view) const { return std::min(kWidest, unsigned(info(view.dtype).bytes * row.threads.vector)); }

/// What a row's memory must be aligned to, as one of a view, to be read and written in vectors and copied in bulk.
unsigned Emitter::row_alignment(size_t view) const {
  const bool bulk = staging.bulk && view < staged.size() && staged[view] >= 0;
  return bulk ? kBulkPiece : alignment_of(views[view]);
}

/// Whether the row's memory can be read and written in vectors: where its tensors begin, and where their other runs do; or that of some.
Value Emitter::is_aligned(const Frame &frame, const std::function<bool(size_t view)> &counts) {
  if (shape.vector_axis < 0)
    return ir.boolean(false);
  Value past = ir.i64(0);
  bool any = false;
  for (size_t v = 0; v < views.size(); ++v) {
    const View &view = views[v];
    if (!moves_vectors(view) || (counts && !counts(v)))
      continue;
    any = true;
    Value low = ir.i64(row_alignment(v) - 1), bytes = ir.i64(info(view.dtype).bytes);
    past = ir.logical_or(past, ir.logical_and(ir.integer(frame.pointer[v]), low));
    for (int axis : shape.reduced)
      if (axis != shape.vector_axis && (view.axes & axis_bit(axis)))
        past = ir.logical_or(past, ir.logical_and(ir.mul(view.stride[size_t(axis)], bytes), low));
  }
  return any ? ir.is(Predicate::eq, past, ir.i64(0)) : ir.boolean(false);
}

/// Whether any row's memory can: not where it is known that its runs do not all begin alike.
bool Emitter::may_be_aligned() const {
  for (size_t v = 0; v < views.size(); ++v)
    for (int axis : shape.reduced) {
      if (!moves_vectors(views[v]) || axis == shape.vector_axis || !(views[v].axes & axis_bit(axis)))
        continue;
      const auto stride = nest::constant(views[v].stride[size_t(axis)]);
      if (stride && *stride * info(views[v].dtype).bytes % row_alignment(v) != 0)
        return false;
    }
  return shape.vector_axis >= 0;
}

/// Whether a group of lanes exists as a whole or not at all.
bool Emitter::whole_vectors() const {
  const Axis &axis = plan.program().axes[size_t(shape.vector_axis)];
  const Extent &extent = plan.specialized.axes[size_t(shape.vector_axis)].extent;
  return axis.length < 0 && extent.fixed() && extent.lo % row.threads.vector == 0;
}

bool Emitter::is_row_buffer(size_t view) const {
  const size_t before = plan.program().tensors.size() + plan.temporaries.size();
  return view >= before && view < before + size_t(residency.slots);
}

/// Where a thread's group lies in memory of the row's own: by lane in shared memory, one group after the other in its own registers.
Value Emitter::own_address(const View &view, size_t index, const Frame &frame, int group) {
  Value at = shape.inner ? frame.index[size_t(shape.vector_axis)] : ir.i64(0);
  if (keep == Keep::registers && is_row_buffer(index))
    at = ir.add(ir.div(at, ir.i64(row.threads.count)), ir.i64(group * row.threads.vector));
  else
    at = ir.add(ir.add(ir.div(at, ir.i64(row.threads.cluster)), ir.mul(row.local, ir.i64(row.threads.vector))),
                ir.i64(group * row.threads.stride() / row.threads.cluster));
  return ir.address(frame.pointer[index], nest::storage_type(ir.getContext(), view.dtype), at);
}

Value Emitter::load_lanes(int tensor, const Frame &frame) {
  const bool copied = wide && size_t(tensor) < staged.size() && staged[size_t(tensor)] >= 0;
  const size_t number = size_t(copied ? staged[size_t(tensor)] : tensor);
  const View &view = views[number];
  const Lanes &lanes = frame.lanes;
  const auto [threads, group_lanes] = std::pair(row.threads, row.threads.vector);
  const mlir::Type element = nest::storage_type(ir.getContext(), view.dtype);
  const mlir::VectorType type = ir.vector(lanes.width, element), group_type = ir.vector(group_lanes, element);
  const unsigned bytes = unsigned(info(view.dtype).bytes);
  Value loaded = arith::ConstantOp::create(ir, type, ir.getZeroAttr(type));
  if (view.own) {
    for (int group = 0; group < threads.groups; ++group)
      loaded = insert_at(ir, ir.load(group_type, own_address(view, number, frame, group), alignment_of(view)), loaded, group * group_lanes);
    return copied ? widened(view, loaded) : loaded;
  }
  Value base = address_of(view, size_t(tensor), frame);
  const bool vectors = wide && moves_vectors(view) && (!lanes.active || whole_vectors());
  for (int group = 0; group < threads.groups; ++group) {
    Value first = ir.add(row.lane, ir.i64(group * threads.stride()));
    if (vectors) {
      Value at = lanes.active ? ir.min(first, ir.sub(lanes.active, ir.i64(group_lanes))) : first;
      loaded = insert_at(ir, ir.load(group_type, ir.address(base, element, at), alignment_of(view)), loaded, group * group_lanes);
      continue;
    }
    for (int i = 0; i < group_lanes; ++i) {
      Value at = ir.add(first, ir.i64(i));
      if (lanes.active)
        at = ir.min(at, ir.sub(lanes.active, ir.i64(1)));
      Value from = ir.address(base, element, ir.mul(at, view.stride[size_t(shape.vector_axis)]));
      loaded = mlir::vector::InsertOp::create(ir, ir.load(element, from, bytes), loaded, int64_t(group * group_lanes + i));
    }
  }
  return widened(view, loaded);
}

/// A record's vector holds all lanes of the row, those that a thread has one group after the other.
Value Emitter::load_record(mlir::Type type, Value at, unsigned alignment) {
  if (!llvm::isa<mlir::VectorType>(type))
    return ir.load(type, at, alignment);
  const mlir::VectorType group_type = ir.vector(row.threads.vector, compute_type);
  Value loaded = arith::ConstantOp::create(ir, type, ir.getZeroAttr(type));
  for (int group = 0; group < row.threads.groups; ++group)
    loaded = insert_at(ir, ir.load(group_type, record_address(at, group), record_alignment(alignment)), loaded, group * row.threads.vector);
  return loaded;
}

void Emitter::store_record(Value value, Value at, unsigned alignment) {
  if (!llvm::isa<mlir::VectorType>(value.getType()))
    return ir.when(ir.is(Predicate::eq, row.thread, ir.i64(0)), [&] { ir.store(value, at, alignment); });
  for (int group = 0; group < row.threads.groups; ++group)
    ir.store(slice(ir, value, group * row.threads.vector, row.threads.vector), record_address(at, group), record_alignment(alignment));
}

Value Emitter::record_address(Value at, int group) {
  return ir.address(at, compute_type, ir.add(row.lane, ir.i64(group * row.threads.stride())));
}

unsigned Emitter::record_alignment(unsigned alignment) const {
  return std::min({alignment, kWidest, unsigned(row.threads.vector) * compute_type.getIntOrFloatBitWidth() / 8});
}

/// What all lanes share is stored by the row's first thread.
void Emitter::store(int tensor, Value value, const Frame &frame, bool) {
  const View &view = views[size_t(tensor)];
  const Lanes &lanes = frame.lanes;
  const Threads &threads = row.threads;
  if (!llvm::isa<mlir::VectorType>(value.getType()))
    return ir.when(ir.is(Predicate::eq, row.thread, ir.i64(0)), [&] { store_element(tensor, value, frame); });
  const auto group_of = [&](Value all, int group) { return slice(ir, all, group * threads.vector, threads.vector); };
  if (view.own) {
    for (int group = 0; group < threads.groups; ++group)
      ir.store(group_of(value, group), own_address(view, size_t(tensor), frame, group), alignment_of(view));
    return;
  }
  const mlir::Type element = nest::storage_type(ir.getContext(), view.dtype);
  Value stored = narrowed(view, value), base = address_of(view, size_t(tensor), frame);
  const auto where = [&](Value lane, const std::function<void()> &body) {
    ir.when(lanes.active ? ir.is(Predicate::slt, lane, lanes.active) : ir.boolean(true), body);
  };
  const bool vectors = wide && moves_vectors(view) && (!lanes.active || whole_vectors());
  for (int group = 0; group < threads.groups; ++group) {
    Value first = ir.add(row.lane, ir.i64(group * threads.stride()));
    if (vectors) {
      where(first, [&] { ir.store(group_of(stored, group), ir.address(base, element, first), alignment_of(view)); });
      continue;
    }
    for (int i = 0; i < threads.vector; ++i) {
      Value lane = ir.add(first, ir.i64(i));
      where(lane, [&] {
        Value one = mlir::vector::ExtractOp::create(ir, stored, int64_t(group * threads.vector + i));
        ir.store(one, ir.address(base, element, ir.mul(lane, view.stride[size_t(shape.vector_axis)])), unsigned(info(view.dtype).bytes));
      });
    }
  }
}

} // namespace normforge::cuda
