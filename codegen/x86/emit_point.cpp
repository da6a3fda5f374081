// The value of a node where the loops stand. A node that varies over the vector axis is a vector once that axis is bound to lanes; any other is
// a scalar, broadcast where it meets a vector. Values are kept per frame, so each node is evaluated once in the outermost loop that
// binds its axes, and what lacks the kept axes is evaluated once for all rows.
//
// With fma=on a product that feeds a sum, an addition or a subtraction is contracted with it, the left operand first. This is part of the numerics:
// it depends on the program alone.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include "codegen/x86/convert.h"
#include "codegen/x86/emitter.h"
#include "codegen/x86/math.h"
#include "dsl/error.h"

namespace normforge::x86 {

namespace arith = mlir::arith;

bool Emitter::is_bound(AxisSet axes, const Frame &frame) const {
  for (int axis = 0; axis < rank(); ++axis)
    if ((axes & axis_bit(axis)) && !frame.index[size_t(axis)])
      return false;
  return true;
}

Value Emitter::evaluate(NodeId id, Frame &frame) {
  Value &known = frame.value[size_t(id)];
  if (!known)
    known = compute(id, frame);
  return known;
}

void Emitter::evaluate(NodeId id, Frames &rows) {
  Value shared;
  for (Frame &frame : rows) {
    if (shared)
      frame.value[size_t(id)] = shared;
    Value value = evaluate(id, frame);
    if (!(node(id).axes & shape.nest.kept) || !shape.inner)
      shared = value;
  }
}

/// Evaluates those of `nodes` whose axes are bound, and spreads scalars that vectors further in will want.
void Emitter::evaluate_bound(const std::vector<NodeId> &nodes, Frames &rows) {
  for (NodeId id : nodes)
    if (is_bound(node(id).axes, rows.front()))
      evaluate(id, rows);
}

Value Emitter::in_lanes(NodeId id, Frame &frame) {
  Value value = evaluate(id, frame);
  if (llvm::isa<mlir::VectorType>(value.getType()))
    return value;
  Value &splat = frame.splat[size_t(id)];
  if (!splat)
    splat = node(id).op == Op::constant ? emit_constant(ir, ir.vector(frame.lanes.width, compute_type), node(id).value)
                                        : ir.splat(value, frame.lanes.width);
  return splat;
}

Value Emitter::compute(NodeId id, Frame &frame) {
  const Node &n = node(id);
  switch (n.op) {
  case Op::constant:
    return emit_constant(ir, compute_type, n.value);
  case Op::scalar:
    return scalars[size_t(n.symbol)];
  case Op::tensor:
    return load(n.symbol, frame);
  case Op::count:
    return arith::SIToFPOp::create(ir, compute_type, count_over(n.over, frame));
  case Op::first:
    return evaluate_first(n, frame);
  case Op::pow:
    return emit_power(ir, evaluate(n.operands[0], frame), int64_t(n.value));
  case Op::cast:
    return widen(ir, narrow(ir, evaluate(n.operands[0], frame), n.dtype, target), n.dtype, compute_type, target);
  default:
    break;
  }
  if (is_reduction(n.op)) { // of an earlier nest
    for (size_t t = 0; t < plan.temporaries.size(); ++t)
      if (plan.temporaries[t].node == id)
        return load(int(plan.program().tensors.size() + t), frame);
    internal_check(!"a reduction is read before it is known");
  }
  if (Value contracted = fused(n, frame))
    return contracted;
  const int count = info(n.op).operands;
  bool vectors = false;
  Values operands;
  for (int i = 0; i < count; ++i) {
    operands.push_back(evaluate(n.operands[size_t(i)], frame));
    vectors |= llvm::isa<mlir::VectorType>(operands.back().getType());
  }
  if (vectors)
    for (int i = 0; i < count; ++i)
      operands[size_t(i)] = in_lanes(n.operands[size_t(i)], frame);
  return emit_pointwise(ir, n.op, operands, numerics.fma, target);
}

/// a * b + c, a * b - c or c - a * b in one rounding; null where the node is none of them, or fma=off.
Value Emitter::fused(const Node &n, Frame &frame) {
  if (!numerics.fma || (n.op != Op::add && n.op != Op::sub))
    return {};
  const int at = node(n.operands[0]).op == Op::mul ? 0 : 1;
  const Node &product = node(n.operands[size_t(at)]);
  if (product.op != Op::mul)
    return {};
  const NodeId ids[] = {product.operands[0], product.operands[1], n.operands[size_t(1 - at)]};
  bool vectors = false;
  for (NodeId id : ids)
    vectors |= llvm::isa<mlir::VectorType>(evaluate(id, frame).getType());
  Values v;
  for (NodeId id : ids)
    v.push_back(vectors ? in_lanes(id, frame) : evaluate(id, frame));
  if (n.op == Op::sub) {
    Value &negated = at == 0 ? v[2] : v[0];
    negated = arith::NegFOp::create(ir, negated);
  }
  return mlir::math::FmaOp::create(ir, v[0], v[1], v[2]);
}

/// The operand at index 0 of the axes that are gone; 0 where they have no index.
Value Emitter::evaluate_first(const Node &n, Frame &frame) {
  Frame at = frame;
  Value exists = ir.boolean(true);
  for (int axis = 0; axis < rank(); ++axis)
    if (n.over & axis_bit(axis)) {
      at.index[size_t(axis)] = ir.i64(0);
      if (plan.specialized.axes[size_t(axis)].extent.lo < 1)
        exists = ir.logical_and(exists, ir.is(arith::CmpIPredicate::sgt, extents[size_t(axis)], ir.i64(0)));
    }
  for (size_t id = 0; id < at.value.size(); ++id)
    if (node(NodeId(id)).axes & n.over)
      at.value[id] = at.splat[id] = {};
  if (shape.vector_axis >= 0 && (n.over & axis_bit(shape.vector_axis)))
    at.lanes = {};
  const mlir::Type type = at.lanes.width && varies(n.operands[0], shape.vector_axis) ? mlir::Type(ir.vector(at.lanes.width, compute_type)) : compute_type;
  return ir.when_else(
      exists, type,
      [&] {
        for (size_t v = 0; v < views.size(); ++v)
          if (views[v].base && (views[v].axes & n.over)) {
            at.pointer[v] = views[v].base;
            for (int axis = 0; axis < rank(); ++axis)
              if ((views[v].axes & axis_bit(axis)) && at.index[size_t(axis)] && axis != shape.vector_axis)
                at.pointer[v] = ir.address(at.pointer[v], storage_type(ir.getContext(), views[v].dtype),
                                           ir.mul(at.index[size_t(axis)], views[v].stride[size_t(axis)]));
          }
        return Values{evaluate(n.operands[0], at)};
      },
      [&] { return Values{emit_constant(ir, type, 0)}; })[0];
}

/// How many elements exist over the axes `over`: a product, but where an axis is ragged and its length varies over the others, a sum.
Value Emitter::count_over(AxisSet over, Frame frame) {
  const auto &axes = plan.program().axes;
  AxisSet lengths = 0; // axes of `over` that lengths vary over
  for (int axis = 0; axis < rank(); ++axis)
    if ((over & axis_bit(axis)) && axes[size_t(axis)].length >= 0)
      lengths |= plan.program().axes_of(plan.program().tensors[size_t(axes[size_t(axis)].length)]) & over;
  Value count = ir.i64(1);
  for (int axis = 0; axis < rank(); ++axis)
    if ((over & ~lengths & axis_bit(axis)) && axes[size_t(axis)].length < 0)
      count = ir.mul(count, extents[size_t(axis)]);
  const std::function<Value(int, Frame)> ragged = [&](int axis, Frame at) -> Value {
    for (; axis < rank(); ++axis)
      if (lengths & axis_bit(axis))
        return ir.loop(ir.i64(0), extents[size_t(axis)], 1, ir.i64(0), [&](Value index, mlir::ValueRange sum) {
          Frame inner = at;
          bind(inner, axis, index);
          return Values{ir.add(sum[0], ragged(axis + 1, inner))};
        })[0];
    Value product = ir.i64(1);
    for (int a = 0; a < rank(); ++a)
      if ((over & axis_bit(a)) && axes[size_t(a)].length >= 0)
        product = ir.mul(product, bound_of(a, at));
    return product;
  };
  return ir.mul(count, ragged(0, frame));
}

} // namespace normforge::x86
