// Addresses and element types: where a view has an index, what it holds there in the compute type, and which writes happen.
#include "mlir/Dialect/Arith/IR/Arith.h"

#include "codegen/nest/convert.h"
#include "codegen/nest/emitter.h"
#include "codegen/nest/math.h"
#include "dsl/error.h"

namespace normforge::nest {

namespace arith = mlir::arith;

/// Moves a frame to `index` of an axis that is not bound.
void Emitter::bind(Frame &frame, int axis, Value index) {
  frame.index[size_t(axis)] = index;
  if (axis == shape.vector_axis)
    return;
  for (size_t v = 0; v < views.size(); ++v)
    if (views[v].base && (views[v].axes & axis_bit(axis)))
      frame.pointer[v] =
          ir.address(frame.pointer[v], storage_type(ir.getContext(), views[v].dtype), ir.mul(index, views[v].stride[size_t(axis)]));
}

/// Moves a frame to `index` of an axis that may be bound elsewhere.
void Emitter::rebind(Frame &frame, int axis, Value index) {
  if (!std::exchange(frame.index[size_t(axis)], index) || axis == shape.vector_axis)
    return bind(frame, axis, index);
  for (size_t v = 0; v < views.size(); ++v)
    if (views[v].base && (views[v].axes & axis_bit(axis))) {
      frame.pointer[v] = views[v].base;
      for (int bound = 0; bound < rank(); ++bound)
        if ((views[v].axes & axis_bit(bound)) && frame.index[size_t(bound)] && bound != shape.vector_axis)
          frame.pointer[v] = ir.address(frame.pointer[v], storage_type(ir.getContext(), views[v].dtype),
                                        ir.mul(frame.index[size_t(bound)], views[v].stride[size_t(bound)]));
    }
}

Value Emitter::address_of(const View &view, size_t index, const Frame &frame) {
  const int axis = shape.vector_axis;
  if (axis < 0 || !(view.axes & axis_bit(axis)) || (view.own && !shape.inner))
    return frame.pointer[index];
  return ir.address(frame.pointer[index], storage_type(ir.getContext(), view.dtype),
                    ir.mul(frame.index[size_t(axis)], view.stride[size_t(axis)]));
}

/// The number of indexes of `axis` that exist: its extent, or what the length says, clamped to it.
Value Emitter::bound_of(int axis, const Frame &frame) {
  Value extent = extents[size_t(axis)];
  const int length = plan.program().axes[size_t(axis)].length;
  if (length < 0)
    return extent;
  const View &view = views[size_t(length)];
  Value stored = ir.load(ir.getI32Type(), address_of(view, size_t(length), frame), 4);
  Value wide = arith::ExtSIOp::create(ir, ir.getI64Type(), stored);
  return ir.min(ir.max(wide, ir.i64(0)), extent);
}

/// What is in memory as the compute type, in lane order.
Value Emitter::widened(const View &view, Value stored) {
  const bool rearranged = paired && (!view.own || shape.streams) && llvm::isa<mlir::VectorType>(stored.getType());
  if (rearranged && view.dtype == DType::bf16)
    return widen_pairs(ir, stored, target);
  Value computed = widen(ir, stored, view.dtype, compute_type, target);
  return rearranged ? to_lane_order(ir, computed) : computed;
}

Value Emitter::narrowed(const View &view, Value computed) {
  const bool rearranged = paired && (!view.own || shape.streams) && llvm::isa<mlir::VectorType>(computed.getType());
  if (rearranged && view.dtype == DType::bf16)
    return narrow_pairs(ir, computed, short_nans, target);
  return narrow(ir, rearranged ? to_memory_order(ir, computed) : computed, view.dtype, target);
}

/// The element that every lane sees, or one element per lane, in the compute type.
Value Emitter::load(int tensor, const Frame &frame) {
  const View &view = views[size_t(tensor)];
  const bool spread = shape.vector_axis >= 0 && (view.axes & axis_bit(shape.vector_axis));
  if (frame.lanes.width && spread)
    return load_lanes(tensor, frame);
  Value pointer = address_of(view, size_t(tensor), frame);
  return widened(view, ir.load(storage_type(ir.getContext(), view.dtype), pointer, unsigned(info(view.dtype).bytes)));
}

void Emitter::store_element(int tensor, Value value, const Frame &frame) {
  const View &view = views[size_t(tensor)];
  ir.store(narrowed(view, value), address_of(view, size_t(tensor), frame), unsigned(info(view.dtype).bytes));
}

/// Stores the value of a node. A tensor that lacks axes of the nest is written where those stand at 0.
void Emitter::write(const Write &write, Frame &frame, bool asks, bool nontemporal) {
  const View &view = views[size_t(write.tensor)];
  Value wanted = ir.boolean(true);
  if (asks && size_t(write.tensor) < plan.program().tensors.size())
    wanted = ir.not_null(view.base);
  for (int axis = 0; axis < rank(); ++axis)
    if (frame.index[size_t(axis)] && !(view.axes & axis_bit(axis)))
      wanted = ir.logical_and(wanted, ir.is(arith::CmpIPredicate::eq, frame.index[size_t(axis)], ir.i64(0)));
  const bool spread = shape.vector_axis >= 0 && (view.axes & axis_bit(shape.vector_axis)) && frame.lanes.width;
  Value value = spread ? in_lanes(write.node, frame) : evaluate(write.node, frame);
  ir.when(wanted, [&] { store(write.tensor, value, frame, nontemporal); });
}

/// The view that holds a kept node.
int Emitter::buffer_of(NodeId kept) const {
  if (const int output = residency.output[size_t(kept)]; output >= 0)
    return output;
  return int(plan.program().tensors.size() + plan.temporaries.size()) + residency.slot[size_t(kept)];
}

} // namespace normforge::nest
