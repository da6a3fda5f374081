#include "codegen/nest/lane_order.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "codegen/nest/expression.h"

namespace normforge::nest {
namespace {

int64_t lanes_in(Value vector) { return llvm::cast<mlir::VectorType>(vector.getType()).getNumElements(); }

Value shuffle(Ir &ir, Value left, Value right, int64_t lanes, llvm::function_ref<int64_t(int64_t)> source) {
  llvm::SmallVector<int64_t> mask;
  for (int64_t lane = 0; lane < lanes; ++lane)
    mask.push_back(source(lane));
  return mlir::vector::ShuffleOp::create(ir, left, right, mask);
}

Expr with_short_nans(Expr x, bool short_nans) {
  return short_nans ? bits_of(x) : select(is_nan(x), bits_of(x).constant(int64_t(0x7fc00000)), bits_of(x));
}

/// To nearest even, in the upper half.
Expr round_to_bf16(Expr bits) { return bits + ((bits >> 16 & 1) + 0x7fff); }

} // namespace

bool pairs_lanes(const SweepPlan &plan, const NestShape &shape, const NestMapping &mapping) {
  if (shape.vector_axis < 0 || plan.specialized.compute != DType::f32 || !mapping.vector || shape.width < 2 * mapping.vector / 32)
    return false;
  const Program &program = plan.program();
  int bf16 = 0, others = 0; // vectors that move, those that all rows share counted once for all
  const auto count = [&](int tensor) {
    const AxisSet axes = program.axes_of(program.tensors[size_t(tensor)]);
    if (axes & axis_bit(shape.vector_axis))
      (*plan.specialized.dtypes[size_t(tensor)] == DType::bf16 ? bf16 : others) += axes & shape.nest.kept ? mapping.rows : 1;
  };
  for (NodeId id : shape.nodes)
    if (program.node(id).op == Op::tensor)
      count(program.node(id).symbol);
  for (const Sweep &sweep : shape.nest.sweeps)
    for (const Write &write : sweep.writes)
      if (size_t(write.tensor) < program.tensors.size())
        count(write.tensor);
  return bf16 > others;
}

int64_t element_of_lane(int64_t lane, int64_t width) { return lane < width / 2 ? 2 * lane : 2 * lane - width + 1; }

Value to_lane_order(Ir &ir, Value vector) {
  const int64_t width = lanes_in(vector);
  return shuffle(ir, vector, vector, width, [&](int64_t lane) { return element_of_lane(lane, width); });
}

Value to_memory_order(Ir &ir, Value vector) {
  const int64_t width = lanes_in(vector);
  return shuffle(ir, vector, vector, width, [&](int64_t element) { return element / 2 + (element % 2) * (width / 2); });
}

bool has_short_nans(const SweepPlan &plan) {
  const Program &program = plan.program();
  for (const Node &node : program.nodes)
    if (node.op == Op::tensor && program.tensors[size_t(node.symbol)].role != Tensor::length &&
        plan.specialized.dtypes[size_t(node.symbol)] != DType::bf16)
      return false;
  return true;
}

Value widen_pairs(Ir &ir, Value stored, const Target &target) {
  const int64_t width = lanes_in(stored);
  const Emission how{ir, target, /*fma=*/false};
  const Expr pairs(how, mlir::vector::BitCastOp::create(ir, ir.vector(int(width / 2), ir.getI32Type()), stored));
  return shuffle(ir, float_of(pairs << 16).value(), float_of(pairs & int64_t(0xffff0000)).value(), width,
                 [](int64_t lane) { return lane; });
}

Value narrow_pairs(Ir &ir, Value computed, bool short_nans, const Target &target) {
  const int64_t width = lanes_in(computed);
  const Emission how{ir, target, /*fma=*/false};
  const mlir::VectorType words = ir.vector(int(width), ir.getI16Type());
  const auto half = [&](int64_t first) {
    const Expr lanes(how, shuffle(ir, computed, computed, width / 2, [&](int64_t lane) { return first + lane; }));
    return with_short_nans(lanes, short_nans);
  };
  const auto words_of = [&](Expr bits) -> Value { return mlir::vector::BitCastOp::create(ir, words, bits.value()); };
  const Expr even = half(0), odd = half(width / 2);
  if (target.permute) { // upper and lower words apart, to round both halves at once
    Value low = words_of(even), high = words_of(odd);
    const auto apart = [&](int64_t word) {
      return Expr(how, shuffle(ir, low, high, width, [&](int64_t i) { return (i % 2) * width + i / 2 * 2 + word; }));
    };
    const Expr upper = apart(1), lower = apart(0);
    const Expr most = 0x8000 - (upper & 1); // what is rounded down: less than half, and half where that is even
    return select(unsigned_less(most, lower), upper + 1, upper).value();
  }
  Value low = words_of(round_to_bf16(even) >> 16), high = words_of(round_to_bf16(odd));
  return shuffle(ir, low, high, width, [&](int64_t element) { return element % 2 ? width + element : element; });
}

} // namespace normforge::nest
