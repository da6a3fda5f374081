#include "dsl/program.h"

#include <algorithm>

namespace normforge {
namespace {

using enum OpInfo::Kind;

constexpr OpInfo kOps[] = {
    {leaf, Op::constant, "constant", 0, false},
    {leaf, Op::scalar, "scalar", 0, false},
    {leaf, Op::tensor, "tensor", 0, false},
    {leaf, Op::count, "count", 0, false},
    {pointwise, Op::add, "add", 2, false},
    {pointwise, Op::sub, "sub", 2, false},
    {pointwise, Op::mul, "mul", 2, false},
    {pointwise, Op::div, "div", 2, false},
    {pointwise, Op::pow, "pow", 1, false},
    {compare, Op::less, "less", 2, false},
    {compare, Op::less_equal, "less_equal", 2, false},
    {compare, Op::equal, "equal", 2, false},
    {pointwise, Op::select, "select", 3, false},
    {pointwise, Op::maximum, "maximum", 2, false},
    {pointwise, Op::minimum, "minimum", 2, false},
    {pointwise, Op::neg, "neg", 1, false},
    {pointwise, Op::abs, "abs", 1, false},
    {pointwise, Op::sqrt, "sqrt", 1, false},
    {pointwise, Op::rsqrt, "rsqrt", 1, false},
    {pointwise, Op::exp, "exp", 1, true},
    {pointwise, Op::exp2, "exp2", 1, true},
    {pointwise, Op::log, "log", 1, true},
    {pointwise, Op::log2, "log2", 1, true},
    {pointwise, Op::tanh, "tanh", 1, true},
    {pointwise, Op::erf, "erf", 1, true},
    {pointwise, Op::sigmoid, "sigmoid", 1, true},
    {pointwise, Op::floor, "floor", 1, false},
    {pointwise, Op::ceil, "ceil", 1, false},
    {pointwise, Op::round, "round", 1, false},
    {pointwise, Op::cast, "cast", 1, false},
    {pointwise, Op::stored, "stored", 1, false},
    {reduction, Op::sum, "sum", 1, false},
    {reduction, Op::avg, "avg", 1, false},
    {reduction, Op::max, "max", 1, false},
    {reduction, Op::min, "min", 1, false},
    {pivot, Op::first, "first", 1, false},
};

template <class Row> int index_named(const std::vector<Row> &rows, std::string_view name) {
  auto at = std::ranges::find_if(rows, [&](const Row &row) { return row.name == name; });
  return at == rows.end() ? -1 : int(at - rows.begin());
}

} // namespace

const OpInfo &info(Op op) { return kOps[size_t(op)]; }

std::optional<Op> op_named(std::string_view name) {
  for (const OpInfo &row : kOps)
    if (row.name == name)
      return row.op;
  return std::nullopt;
}

bool Scalar::allows(double value) const {
  if (!set.empty())
    return std::ranges::find(set, value) != set.end();
  return (lo_open ? value > lo : value >= lo) && (hi_open ? value < hi : value <= hi);
}

int Program::axis_named(std::string_view name) const { return index_named(axes, name); }
int Program::tensor_named(std::string_view name) const { return index_named(tensors, name); }
int Program::scalar_named(std::string_view name) const { return index_named(scalars, name); }

AxisSet Program::axes_of(const Tensor &tensor) const {
  AxisSet set = 0;
  for (int axis : tensor.axes)
    set |= axis_bit(axis);
  return set;
}

} // namespace normforge
