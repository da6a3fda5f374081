// What a sweep tells the caches: stores that bypass them, of outputs that are not read again soon, and fetches of what is read next.
#include "mlir/Dialect/Arith/IR/Arith.h"

#include "codegen/nest/sweep_emitter.h"

namespace normforge::nest {

using Predicate = mlir::arith::CmpIPredicate;

constexpr int64_t kLineBytes = 64;

/// [begin, end) of a run in a sweep that only writes, so that no order matters, with streaming stores: from the first element on a cache
/// line's boundary, where all that is written lies alike to such boundaries; else with normal stores. Blocks of a buffer whose lanes are
/// paired cannot be shifted; there, as across the contiguous axis, everything must lie on boundaries.
Values SweepEmitter::written_run(const Frames &rows, Value begin, Value end) {
  Value line = ir.i64(kLineBytes - 1), first, alike = ir.boolean(true);
  const bool shifts = shape.inner && !(kernel.paired && kernel.residency.slots);
  for (const Write &write : sweep.writes) {
    const View &view = kernel.views[size_t(write.tensor)];
    Value bytes = ir.i64(streamed_bytes);
    for (size_t r = 0; r < rows.size() && is_streamed(write); ++r) {
      Frame at = rows[r];
      kernel.bind(at, shape.reduced.back(), begin);
      Value past = ir.logical_and(ir.integer(kernel.address_of(view, size_t(write.tensor), at)), line);
      if (!shifts) {
        for (int axis : shape.reduced)
          if (axis != shape.vector_axis && (view.axes & axis_bit(axis))) // other indexes of the reduced axes lie as this one
            past = ir.logical_or(past, ir.logical_and(ir.mul(view.stride[size_t(axis)], bytes), line));
        alike = ir.logical_and(alike, ir.is(Predicate::eq, past, ir.i64(0)));
      } else if (!first) {
        first = past;
      } else if (r == 0 || !lies_alike(view)) {
        alike = ir.logical_and(alike, ir.is(Predicate::eq, past, first));
      }
    }
  }
  const auto normal = [&] { return piece(rows, begin, end, {}); };
  const auto streaming = [&] {
    Value boundary = begin;
    if (shifts) {
      Value before = ir.div(ir.logical_and(ir.sub(ir.i64(kLineBytes), first), line), ir.i64(streamed_bytes));
      boundary = ir.min(end, ir.add(begin, before));
      piece(rows, begin, boundary, {});
    }
    nontemporal = true;
    piece(rows, boundary, end, {});
    nontemporal = false;
    return Values();
  };
  return ir.when_else(alike, {}, streaming, normal);
}

/// Streaming stores go to contiguous outputs of the widest type: vectors of narrower ones start on boundaries at other elements.
bool SweepEmitter::is_streamed(const Write &write) const {
  const View &view = kernel.views[size_t(write.tensor)];
  return view.contiguous && info(view.dtype).bytes == streamed_bytes;
}

/// Whether rows of a tensor are known to be whole cache lines apart.
bool SweepEmitter::lies_alike(const View &view) const {
  for (int axis : shape.kept)
    if (const auto stride = constant(view.stride[size_t(axis)]);
        (view.axes & axis_bit(axis)) && (!stride || *stride * streamed_bytes % kLineBytes))
      return false;
  return true;
}

/// Fetches what will be read at this block of the tensors that `ids` read, `steps` further on along the last one of `axes` that they have.
void SweepEmitter::prefetch(const Frame &frame, const std::vector<NodeId> &ids, llvm::ArrayRef<int> axes, Value steps) {
  for (NodeId id : ids) {
    const Node &n = kernel.node(id);
    if (n.op != Op::tensor || !kernel.varies(id, shape.vector_axis))
      continue;
    const View &view = kernel.views[size_t(n.symbol)];
    const auto axis = std::find_if(axes.rbegin(), axes.rend(), [&](int each) { return (view.axes & axis_bit(each)) != 0; });
    if (axis == axes.rend())
      continue;
    Value ahead = ir.mul(view.stride[size_t(*axis)], steps);
    const int64_t bytes = info(view.dtype).bytes, line = kLineBytes / bytes;
    for (int64_t element = 0; element < shape.width; element += line)
      ir.prefetch(ir.address(ir.address(kernel.address_of(view, size_t(n.symbol), frame), ir.getI8Type(), ir.mul(ahead, ir.i64(bytes))),
                             ir.getI8Type(), ir.i64(element * bytes)));
  }
}

} // namespace normforge::nest
