// Addresses, loads and stores. Vectors move as they are in memory (alignment: that of an element) and are widened or narrowed in registers.
//
// Where some lanes do not exist, targets with native masks load and store under a mask. Elsewhere LLVM would turn a masked access into a branch
// per lane, so the elements that exist are copied one by one to or from a padded vector on the stack. The same copy serves
// tensors whose neighbours are apart in memory.
#include "mlir/Dialect/Arith/IR/Arith.h"

#include "codegen/x86/convert.h"
#include "codegen/x86/emitter.h"
#include "codegen/x86/math.h"
#include "dsl/error.h"

namespace normforge::x86 {

namespace arith = mlir::arith;
namespace LLVM = mlir::LLVM;

void Emitter::bind(Frame &frame, int axis, Value index) {
  frame.index[size_t(axis)] = index;
  if (axis == shape.vector_axis)
    return;
  for (size_t v = 0; v < views.size(); ++v)
    if (views[v].base && (views[v].axes & axis_bit(axis)))
      frame.pointer[v] = ir.address(frame.pointer[v], storage_type(ir.getContext(), views[v].dtype),
                                    ir.mul(index, views[v].stride[size_t(axis)]));
}

Value Emitter::address_of(const View &view, size_t index, const Frame &frame) {
  const int axis = shape.vector_axis;
  if (axis < 0 || !(view.axes & axis_bit(axis)))
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
    return {width, {}, {}};
  llvm::SmallVector<int32_t> numbers;
  for (int i = 0; i < width; ++i)
    numbers.push_back(i);
  const mlir::VectorType type = ir.vector(width, ir.getI32Type());
  Value iota = arith::ConstantOp::create(ir, type, mlir::DenseElementsAttr::get(type, llvm::ArrayRef(numbers)));
  Value count = ir.splat(ir.createOrFold<arith::TruncIOp>(ir.getI32Type(), active), width);
  return {width, active, arith::CmpIOp::create(ir, arith::CmpIPredicate::slt, iota, count)};
}

/// The element that every lane sees, or one element per lane, in the compute type.
Value Emitter::load(int tensor, const Frame &frame) {
  const View &view = views[size_t(tensor)];
  const mlir::Type element = storage_type(ir.getContext(), view.dtype);
  const unsigned bytes = unsigned(info(view.dtype).bytes);
  Value pointer = address_of(view, size_t(tensor), frame);
  const auto widened = [&](Value stored) { return widen(ir, stored, view.dtype, compute_type, target); };
  const bool spread = shape.vector_axis >= 0 && (view.axes & axis_bit(shape.vector_axis));
  const Lanes &lanes = frame.lanes;
  if (!lanes.width || !spread)
    return widened(ir.load(element, pointer, bytes));

  const mlir::VectorType type = ir.vector(lanes.width, element);
  if (view.contiguous && !lanes.active)
    return widened(ir.load(type, pointer, bytes));
  if (view.contiguous && target.masks) {
    Value zero = arith::ConstantOp::create(ir, type, ir.getZeroAttr(type));
    return widened(LLVM::MaskedLoadOp::create(ir, type, pointer, lanes.mask, zero, bytes));
  }
  Value padded = ir.stack(int64_t(bytes) * lanes.width);
  if (lanes.active)
    ir.store(arith::ConstantOp::create(ir, type, ir.getZeroAttr(type)), padded, 64);
  ir.loop(ir.i64(0), lanes.active ? lanes.active : ir.i64(lanes.width), 1, {}, [&](Value i, mlir::ValueRange) {
    Value from = ir.address(pointer, element, ir.mul(i, view.stride[size_t(shape.vector_axis)]));
    ir.store(ir.load(element, from, bytes), ir.address(padded, element, i), bytes);
    return Values();
  });
  return widened(ir.load(type, padded, 64));
}

void Emitter::store(int tensor, Value value, const Frame &frame, bool nontemporal) {
  const View &view = views[size_t(tensor)];
  const unsigned bytes = unsigned(info(view.dtype).bytes);
  Value pointer = address_of(view, size_t(tensor), frame);
  Value stored = narrow(ir, value, view.dtype, target);
  const Lanes &lanes = frame.lanes;
  const auto type = llvm::dyn_cast<mlir::VectorType>(stored.getType());
  if (!type)
    return ir.store(stored, pointer, bytes);
  if (view.contiguous && !lanes.active)
    return ir.store(stored, pointer, nontemporal ? unsigned(type.getNumElements()) * bytes : bytes, nontemporal);
  if (view.contiguous && target.masks) {
    LLVM::MaskedStoreOp::create(ir, stored, pointer, lanes.mask, bytes);
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
void Emitter::write(const Write &write, Frame &frame, bool asks) {
  const View &view = views[size_t(write.tensor)];
  Value wanted = ir.boolean(true);
  if (asks && size_t(write.tensor) < plan.program().tensors.size())
    wanted = ir.not_null(view.base);
  for (int axis = 0; axis < rank(); ++axis)
    if (frame.index[size_t(axis)] && !(view.axes & axis_bit(axis)))
      wanted = ir.logical_and(wanted, ir.is(arith::CmpIPredicate::eq, frame.index[size_t(axis)], ir.i64(0)));
  const bool spread = shape.vector_axis >= 0 && (view.axes & axis_bit(shape.vector_axis)) && frame.lanes.width;
  Value value = spread ? in_lanes(write.node, frame) : evaluate(write.node, frame);
  ir.when(wanted, [&] { store(write.tensor, value, frame); });
}

} // namespace normforge::x86
