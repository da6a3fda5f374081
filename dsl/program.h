// A straight-line program over named axes: what a norm means, once names are resolved. The parser makes one from text (dsl/norm.h), the
// rewrites of the `norm` dialect turn it into the one that a Problem calls for (dsl/specialize.h), the reference evaluator runs either,
// and the sweep plan of codegen/ reads the second. Every node varies over a set of axes and broadcasts over the rest.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/dtype.h"

namespace normforge {

using AxisSet = uint64_t;                                           ///< bit i: axis i of the program
using NodeId = int32_t;                                             ///< index in Program::nodes; operands precede their users
constexpr int kMostAxes = 16, kMostTensors = 32, kMostScalars = 16; ///< of a norm
constexpr AxisSet axis_bit(int axis) { return AxisSet(1) << axis; }

enum class Op : uint8_t {
  constant,
  scalar,
  tensor,
  count, // leaves: a literal, a scalar parameter, an element of a tensor, the number of elements over axes
  add,
  sub,
  mul,
  div,
  pow, // pow: constant integer exponent in `value`
  less,
  less_equal,
  equal,  // truth values; only select reads them
  select, // select(condition, then, otherwise)
  maximum,
  minimum, // pointwise; NaN is passed on
  neg,
  abs,
  sqrt,
  rsqrt,
  exp,
  exp2,
  log,
  log2,
  tanh,
  erf,
  sigmoid,
  floor,
  ceil,
  round,
  cast,   // rounded to `dtype` and widened again
  stored, // rounded to the dtype of the output that it is; specialize() turns it into cast
  sum,
  avg,
  max,
  min,   // reductions over `over`
  first, // the operand at the first index of each axis in `over` (a pivot; made by rewrites, not written by people)
};

/// One row per Op: how it is spelled, how many operands it has, what kind it is.
struct OpInfo {
  enum Kind : uint8_t { leaf, pointwise, compare, reduction, pivot } kind;
  Op op;
  std::string_view name; ///< in .norm text, in the dialect and in printed sweeps
  int operands;
  bool transcendental; ///< expanded into polynomials by every backend
};
const OpInfo &info(Op);
std::optional<Op> op_named(std::string_view name);
inline bool is_reduction(Op op) { return info(op).kind == OpInfo::reduction; }

struct Axis {
  std::string name;
  bool pack = false; ///< `cols...`: any number of array dimensions, treated as one axis with the product of their extents
  int length = -1;   ///< index of the i32 tensor that bounds it (`seq < length[batch]`), or -1
  bool operator==(const Axis &) const = default;
};

struct Tensor {
  enum Role : uint8_t { input, inout, output, length };
  std::string name;
  std::vector<int> axes; ///< in declared order
  Role role = input;
  std::optional<double> fallback; ///< value of an optional input when it is absent
  std::optional<DType> dtype;     ///< what a Problem takes when it does not say (`y[rows...]: i8`); nullopt: by the rule of dsl/problem.h
  bool operator==(const Tensor &) const = default;
};

struct Scalar {
  std::string name;
  double fallback = 0;
  double lo = -std::numeric_limits<double>::infinity(), hi = std::numeric_limits<double>::infinity();
  bool lo_open = false, hi_open = false; ///< `(lo, hi)` excludes its end
  std::vector<double> set;               ///< `in {0, 1}`: the allowed values; empty: the interval
  bool allows(double value) const;
  bool operator==(const Scalar &) const = default;
};

struct Node {
  Op op = Op::constant;
  AxisSet axes = 0; ///< axes over which it varies
  AxisSet over = 0; ///< reductions, first and count: the axes that are gone
  std::array<NodeId, 3> operands{-1, -1, -1};
  double value = 0;         ///< constant: its value; pow: the exponent
  int symbol = -1;          ///< scalar, tensor: index in Program::scalars, Program::tensors; stored: the output tensor
  DType dtype = DType::f32; ///< cast
  bool operator==(const Node &) const = default;
};

struct Output {
  int tensor; ///< an output, or an inout whose `next` value this is
  NodeId node;
  bool operator==(const Output &) const = default;
};

/// `require lhs < rhs` (or <=, =) between counts, scalars and constants: checked before anything runs.
struct Requirement {
  Op compare; ///< less, less_equal or equal
  NodeId lhs, rhs;
  bool operator==(const Requirement &) const = default;
};

struct Program {
  std::string name;
  std::vector<Axis> axes;
  std::vector<Tensor> tensors; ///< inputs and inouts in declared order, then lengths, then outputs
  std::vector<Scalar> scalars;
  std::vector<Node> nodes;
  std::vector<Output> outputs;
  std::vector<Requirement> requirements;

  const Node &node(NodeId id) const { return nodes[size_t(id)]; }
  int axis_named(std::string_view name) const;   ///< -1 if there is none
  int tensor_named(std::string_view name) const; ///< -1 if there is none
  int scalar_named(std::string_view name) const; ///< -1 if there is none
  AxisSet axes_of(const Tensor &) const;
  bool operator==(const Program &) const = default;
};

} // namespace normforge
