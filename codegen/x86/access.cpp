// Loads and stores of a CPU's vectors. They move as they are in memory (alignment: that of an element) and are widened or narrowed in
// registers.
//
// Where some lanes do not exist, targets with native masks load and store under a mask. Elsewhere LLVM would turn a masked access into a
// branch per lane, so the elements that exist are copied one by one to or from a padded vector on the stack. The same copy serves tensors
// whose neighbours are apart in memory.
#include "codegen/nest/convert.h"
#include "codegen/x86/emitter.h"

namespace normforge::x86 {

using namespace nest;
namespace arith = mlir::arith;
namespace LLVM = mlir::LLVM;

constexpr unsigned kLineBytes = 64;

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

Value Emitter::load_lanes(int tensor, const Frame &frame) {
  const View &view = views[size_t(tensor)];
  const mlir::Type element = storage_type(ir.getContext(), view.dtype);
  const unsigned bytes = unsigned(info(view.dtype).bytes);
  Value pointer = address_of(view, size_t(tensor), frame);
  const Lanes &lanes = frame.lanes;
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
  if (!llvm::isa<mlir::VectorType>(value.getType()))
    return store_element(tensor, value, frame);
  Value pointer = address_of(view, size_t(tensor), frame);
  Value stored = narrowed(view, value);
  const Lanes &lanes = frame.lanes;
  const auto type = llvm::cast<mlir::VectorType>(stored.getType());
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

} // namespace normforge::x86
