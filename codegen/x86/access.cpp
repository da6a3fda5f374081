// Addresses, loads and stores. Vectors move as they are in memory (alignment: that of an element) and are widened or narrowed in registers.
//
// Where some lanes do not exist, targets with native masks load and store under a mask. Elsewhere LLVM would turn a masked access into a
// branch per lane, so the elements that exist are copied one by one to or from a padded vector on the stack. The same copy serves tensors
// whose neighbours are apart in memory.
#include "mlir/Dialect/Arith/IR/Arith.h"

#include "codegen/x86/convert.h"
#include "codegen/x86/emitter.h"
#include "codegen/x86/math.h"
#include "dsl/error.h"

namespace normforge::x86 {

namespace arith = mlir::arith;
namespace LLVM = mlir::LLVM;

constexpr unsigned kLineBytes = 64;

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

Lanes Emitter::lanes_of(int width, Value active) {
  if (const auto known = constant(active); !active || (known && *known >= width))
    return {width, {}, {}, {}};
  Value count = ir.splat(ir.createOrFold<arith::TruncIOp>(ir.getI32Type(), active), width);
  const auto below = [&](bool in_lane_order) -> Value {
    llvm::SmallVector<int32_t> numbers;
    for (int i = 0; i < width; ++i)
      numbers.push_back(in_lane_order ? int32_t(element_of_lane(i, width)) : i);
    const mlir::VectorType type = ir.vector(width, ir.getI32Type());
    Value elements = arith::ConstantOp::create(ir, type, mlir::DenseElementsAttr::get(type, llvm::ArrayRef(numbers)));
    return arith::CmpIOp::create(ir, arith::CmpIPredicate::slt, elements, count);
  };
  Value stored = below(false);
  return {width, active, paired ? below(true) : stored, stored};
}

/// Vectors of a row's own buffer are aligned, unless streaming stores shift them against it.
unsigned Emitter::buffer_alignment(mlir::VectorType type) const {
  const unsigned element = type.getElementTypeBitWidth() / 8;
  return shape.streams ? element : std::min(kLineBytes, element * unsigned(type.getNumElements()));
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
  const mlir::Type element = storage_type(ir.getContext(), view.dtype);
  const unsigned bytes = unsigned(info(view.dtype).bytes);
  Value pointer = address_of(view, size_t(tensor), frame);
  const bool spread = shape.vector_axis >= 0 && (view.axes & axis_bit(shape.vector_axis));
  const Lanes &lanes = frame.lanes;
  if (!lanes.width || !spread)
    return widened(view, ir.load(element, pointer, bytes));

  const mlir::VectorType type = ir.vector(lanes.width, element);
  if (view.contiguous && (!lanes.active || view.own))
    return widened(view, ir.load(type, pointer, view.own ? buffer_alignment(type) : bytes));
  if (view.contiguous && target.masks) {
    Value zero = arith::ConstantOp::create(ir, type, ir.getZeroAttr(type));
    return widened(view, LLVM::MaskedLoadOp::create(ir, type, pointer, lanes.stored, zero, bytes));
  }
  Value padded = ir.stack(int64_t(bytes) * lanes.width);
  if (lanes.active)
    ir.store(arith::ConstantOp::create(ir, type, ir.getZeroAttr(type)), padded, 64);
  ir.loop(ir.i64(0), lanes.active ? lanes.active : ir.i64(lanes.width), 1, {}, [&](Value i, mlir::ValueRange) {
    Value from = ir.address(pointer, element, ir.mul(i, view.stride[size_t(shape.vector_axis)]));
    ir.store(ir.load(element, from, bytes), ir.address(padded, element, i), bytes);
    return Values();
  });
  return widened(view, ir.load(type, padded, 64));
}

void Emitter::store(int tensor, Value value, const Frame &frame, bool nontemporal) {
  const View &view = views[size_t(tensor)];
  const unsigned bytes = unsigned(info(view.dtype).bytes);
  Value pointer = address_of(view, size_t(tensor), frame);
  Value stored = narrowed(view, value);
  const Lanes &lanes = frame.lanes;
  const auto type = llvm::dyn_cast<mlir::VectorType>(stored.getType());
  if (!type)
    return ir.store(stored, pointer, bytes);
  if (view.contiguous && view.own)
    return ir.store(stored, pointer, buffer_alignment(type));
  if (view.contiguous && !lanes.active)
    return ir.store(stored, pointer, nontemporal ? std::min(kLineBytes, unsigned(lanes.width) * bytes) : bytes, nontemporal);
  if (view.contiguous && target.masks) {
    LLVM::MaskedStoreOp::create(ir, stored, pointer, lanes.stored, bytes);
    return;
  }
  Value padded = ir.stack(int64_t(bytes) * lanes.width);
  ir.store(stored, padded, 64);
  const mlir::Type element = type.getElementType();
  ir.loop(ir.i64(0), lanes.active ? lanes.active : ir.i64(lanes.width), 1, {}, [&](Value i, mlir::ValueRange) {
    Value to = ir.address(pointer, element, ir.mul(i, view.stride[size_t(shape.vector_axis)]));
    ir.store(ir.load(element, ir.address(padded, element, i), bytes), to, bytes);
    return Values();
  });
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

/// The view of the buffer that holds a kept node.
int Emitter::buffer_of(NodeId kept) const {
  return int(plan.program().tensors.size() + plan.temporaries.size()) + residency.slot[size_t(kept)];
}

} // namespace normforge::x86
