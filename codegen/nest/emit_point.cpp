// The value of a node where the loops stand. A node that varies over the vector axis is a vector once that axis is bound to lanes; any
// other is a scalar, broadcast where it meets a vector. Values are kept per frame, so each node is evaluated once in the outermost loop
// that binds its axes, and what lacks the kept axes is evaluated once for all rows.
//
// With fma=on a product that feeds a sum, an addition or a subtraction is contracted with it, the left operand first. This is part of the
// numerics: it depends on the program alone.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include "codegen/nest/convert.h"
#include "codegen/nest/emitter.h"
#include "codegen/nest/math.h"
#include "dsl/error.h"

namespace normforge::nest {

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

/// The temporary in which an earlier nest left a reduction or pivot; -1 for all other nodes.
int Emitter::temporary_of(NodeId id) const {
  for (size_t t = 0; t < plan.temporaries.size(); ++t)
    if (plan.temporaries[t].node == id && plan.temporaries[t].nest != shape.number)
      return int(plan.program().tensors.size() + t);
  return -1;
}

Value Emitter::compute(NodeId id, Frame &frame) {
  const Node &n = node(id);
  if (filled[size_t(id)])
    return load(buffer_of(id), frame);
  if (const int temporary = temporary_of(id); temporary >= 0)
    return load(temporary, frame);
  switch (n.op) {
  case Op::constant: return emit_constant(ir, compute_type, n.value);
  case Op::scalar: return scalars[size_t(n.symbol)];
  case Op::tensor: return load(n.symbol, frame);
  case Op::count: return arith::SIToFPOp::create(ir, compute_type, count_over(n.over, frame));
  case Op::first: return evaluate_first(n, frame);
  case Op::pow: return emit_power(ir, evaluate(n.operands[0], frame), int64_t(n.value));
  case Op::cast: return widen(ir, narrow(ir, evaluate(n.operands[0], frame), n.dtype, target), n.dtype, compute_type, target);
  default: break;
  }
  internal_check(!is_reduction(n.op)); // of this nest, and not yet known
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

/// Axes of `over` that the lengths of ragged axes of `over` vary over.
AxisSet Emitter::length_axes(AxisSet over) const {
  const Program &program = plan.program();
  AxisSet axes = 0;
  for (int axis = 0; axis < rank(); ++axis)
    if (const int length = program.axes[size_t(axis)].length; (over & axis_bit(axis)) && length >= 0)
      axes |= program.axes_of(program.tensors[size_t(length)]) & over;
  return axes;
}

/// Binds the axes of `over` to the first index that exists: 0, but where a length may leave nothing at 0, the first that has a length.
void Emitter::bind_first(AxisSet over, Frame &frame) {
  llvm::SmallVector<int> searched;
  const AxisSet lengths = length_axes(over);
  Values found{ir.boolean(false)};
  for (int axis = 0; axis < rank(); ++axis)
    if (lengths & axis_bit(axis)) {
      searched.push_back(axis);
      found.push_back(ir.i64(0));
    }
  const std::function<Values(size_t, Frame, mlir::ValueRange)> search = [&](size_t depth, Frame at, mlir::ValueRange carried) -> Values {
    if (depth < searched.size())
      return ir.loop(ir.i64(0), extents[size_t(searched[depth])], 1, carried, [&](Value index, mlir::ValueRange inner) {
        Frame next = at;
        bind(next, searched[depth], index);
        return search(depth + 1, next, inner);
      });
    Value exists = ir.boolean(true);
    for (int axis = 0; axis < rank(); ++axis)
      if ((over & axis_bit(axis)) && plan.program().axes[size_t(axis)].length >= 0)
        exists = ir.logical_and(exists, ir.is(arith::CmpIPredicate::sgt, bound_of(axis, at), ir.i64(0)));
    Values next{arith::OrIOp::create(ir, carried[0], exists)};
    for (size_t i = 0; i < searched.size(); ++i)
      next.push_back(arith::SelectOp::create(ir, carried[0], carried[i + 1], at.index[size_t(searched[i])]));
    return next;
  };
  if (!searched.empty()) {
    Frame clear = frame;
    for (int axis : searched)
      rebind(clear, axis, ir.i64(0));
    found = search(0, clear, found);
  }
  for (int axis = 0; axis < rank(); ++axis)
    if (over & axis_bit(axis)) {
      const auto at = llvm::find(searched, axis);
      rebind(frame, axis, at == searched.end() ? ir.i64(0) : found[size_t(at - searched.begin()) + 1]);
    }
}

/// The operand at the first index of the axes that are gone; 0 where they have no index.
Value Emitter::evaluate_first(const Node &n, Frame &frame) {
  Value exists = ir.boolean(true);
  for (int axis = 0; axis < rank(); ++axis)
    if ((n.over & axis_bit(axis)) && plan.specialized.axes[size_t(axis)].extent.lo < 1)
      exists = ir.logical_and(exists, ir.is(arith::CmpIPredicate::sgt, extents[size_t(axis)], ir.i64(0)));
  Frame at = frame;
  for (size_t id = 0; id < at.value.size(); ++id)
    if (node(NodeId(id)).axes & n.over)
      at.value[id] = at.splat[id] = {};
  if (shape.vector_axis >= 0 && (n.over & axis_bit(shape.vector_axis)))
    at.lanes = {};
  const bool vector = at.lanes.width && varies(n.operands[0], shape.vector_axis);
  const mlir::Type type = vector ? mlir::Type(ir.vector(at.lanes.width, compute_type)) : compute_type;
  return ir.when_else(
      exists, type,
      [&] {
        bind_first(n.over, at);
        return Values{evaluate(n.operands[0], at)};
      },
      [&] { return Values{emit_constant(ir, type, 0)}; })[0];
}

/// How many elements exist over the axes `over`: a product, but where an axis is ragged and its length varies over the others, a sum.
Value Emitter::count_over(AxisSet over, Frame frame) {
  const auto &axes = plan.program().axes;
  const AxisSet lengths = length_axes(over);
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

} // namespace normforge::nest
