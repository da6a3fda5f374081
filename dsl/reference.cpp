// The reference evaluator. Each node becomes an array over the axes that it varies over, from operands that broadcast; one generic walk
// over a set of axes serves pointwise operations, reductions, and the copying of tensors in and out.
#include "dsl/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "dsl/conditions.h"
#include "dsl/error.h"
#include "dsl/reference_grid.h"
#include "dsl/reference_math.h"

namespace normforge {
namespace {

template <class T> class Evaluator {
public:
  Evaluator(const Program &program, const std::vector<std::optional<DType>> &dtypes, const std::vector<int64_t> &extents,
            const ReferenceInputs &inputs, const std::vector<double> &scalars)
      : program(program), dtypes(dtypes), extents(extents), grid{program, extents}, inputs(inputs), scalars(scalars) {
    for (const Axis &axis : program.axes)
      if (axis.length >= 0)
        given(program.tensors[size_t(axis.length)]);
  }

  std::map<std::string, ReferenceArray> run() {
    std::vector<NodeId> last(program.nodes.size(), -1);
    for (size_t id = 0; id < program.nodes.size(); ++id)
      for (NodeId operand : program.nodes[id].operands)
        if (operand >= 0)
          last[size_t(operand)] = NodeId(id);
    for (const Output &output : program.outputs)
      last[size_t(output.node)] = NodeId(program.nodes.size());
    arrays.resize(program.nodes.size());
    for (size_t id = 0; id < program.nodes.size(); ++id) {
      arrays[id] = node(program.nodes[id]);
      for (NodeId operand : program.nodes[id].operands)
        if (operand >= 0 && last[size_t(operand)] == NodeId(id))
          arrays[size_t(operand)] = {};
    }
    std::map<std::string, ReferenceArray> results;
    for (const Output &output : program.outputs)
      results[program.tensors[size_t(output.tensor)].name] = write(output);
    return results;
  }

private:
  // --- ragged axes

  /// Whether an index over `axes` lies within every length that applies there: of a ragged axis in `axes` whose lengths' axes are too.
  bool inside(const Index &index, AxisSet axes) const {
    for (size_t axis = 0; axis < program.axes.size(); ++axis) {
      const int tensor = program.axes[axis].length;
      if (tensor < 0 || !(axes & axis_bit(int(axis))))
        continue;
      const Tensor &length = program.tensors[size_t(tensor)];
      if (program.axes_of(length) & ~axes)
        continue;
      int64_t elements;
      if (double(index[axis]) >= given(length).values[grid.offset(index, grid.dense(length.axes, elements))])
        return false;
    }
    return true;
  }

  // --- tensors

  /// The array of a tensor that has to be there, of the right size.
  const ReferenceArray &given(const Tensor &tensor) const {
    const auto found = inputs.tensors.find(tensor.name);
    if (found == inputs.tensors.end())
      throw UserError(program.name + ": the input '" + tensor.name + "' is missing");
    std::vector<int64_t> expected;
    for (int axis : tensor.axes)
      expected.push_back(extents[size_t(axis)]);
    int64_t elements;
    grid.dense(tensor.axes, elements);
    if (found->second.extents != expected || int64_t(found->second.values.size()) != elements)
      throw UserError(program.name + ": the input '" + tensor.name + "' has other extents than its axes");
    return found->second;
  }

  Array<T> read(int index) const {
    const Tensor &tensor = program.tensors[size_t(index)];
    if (!dtypes[size_t(index)] || (tensor.fallback && !inputs.tensors.contains(tensor.name))) {
      internal_check(tensor.fallback.has_value());
      return grid.make<T>(0, T(*tensor.fallback));
    }
    const ReferenceArray &from = given(tensor);
    Array<T> array;
    int64_t elements;
    array.strides = grid.dense(tensor.axes, elements);
    array.values.assign(from.values.begin(), from.values.end());
    return array;
  }

  ReferenceArray write(const Output &output) const {
    const Tensor &tensor = program.tensors[size_t(output.tensor)];
    const Array<T> &from = arrays[size_t(output.node)];
    const std::optional<DType> dtype = dtypes[size_t(output.tensor)];
    const bool integer = dtype == DType::i8 || dtype == DType::i32;
    ReferenceArray to;
    for (int axis : tensor.axes)
      to.extents.push_back(extents[size_t(axis)]);
    int64_t elements;
    const Index strides = grid.dense(tensor.axes, elements);
    to.values.assign(size_t(elements), std::numeric_limits<double>::quiet_NaN());
    const AxisSet axes = program.axes_of(tensor);
    grid.walk(axes, [&](const Index &index) {
      if (!inside(index, axes))
        return;
      const double value = double(from.values[grid.offset(index, from.strides)]);
      to.values[grid.offset(index, strides)] = integer ? round_to(*dtype, value) : value;
    });
    return to;
  }

  // --- nodes

  Array<T> node(const Node &node) const {
    switch (node.op) {
    case Op::constant: return grid.make<T>(0, T(node.value));
    case Op::scalar: return grid.make<T>(0, T(scalars[size_t(node.symbol)]));
    case Op::tensor: return read(node.symbol);
    case Op::count: {
      Array<T> counts = grid.make<T>(node.axes, 0);
      grid.walk(node.axes | node.over, [&](const Index &index) {
        if (inside(index, node.axes | node.over))
          counts.values[grid.offset(index, counts.strides)] += 1;
      });
      return counts;
    }
    case Op::first: {
      const Array<T> &operand = arrays[size_t(node.operands[0])];
      Array<T> picked = grid.make<T>(node.axes, std::numeric_limits<double>::quiet_NaN());
      if (!operand.values.empty())
        grid.walk(node.axes, [&](const Index &index) {
          picked.values[grid.offset(index, picked.strides)] = operand.values[grid.offset(index, operand.strides)];
        });
      return picked;
    }
    default: return is_reduction(node.op) ? reduction(node) : pointwise(node);
    }
  }

  Array<T> reduction(const Node &node) const {
    const Array<T> &operand = arrays[size_t(node.operands[0])];
    const bool extremum = node.op == Op::max || node.op == Op::min;
    Array<T> result = grid.make<T>(node.axes, extremum ? T(node.op == Op::max ? -HUGE_VAL : HUGE_VAL) : T(0));
    std::vector<Sum<T>> sums(extremum ? 0 : result.values.size());
    std::vector<int64_t> counts(sums.size());
    grid.walk(node.axes | node.over, [&](const Index &index) {
      if (!inside(index, node.axes | node.over))
        return;
      const size_t to = grid.offset(index, result.strides);
      const T value = operand.values[grid.offset(index, operand.strides)];
      if (node.op == Op::max)
        result.values[to] = larger(result.values[to], value);
      else if (node.op == Op::min)
        result.values[to] = smaller(result.values[to], value);
      else
        sums[to].add(value), ++counts[to];
    });
    for (size_t i = 0; i < sums.size(); ++i)
      result.values[i] = node.op == Op::avg ? sums[i].value() / T(counts[i]) : sums[i].value();
    return result;
  }

  Array<T> pointwise(const Node &node) const {
    Array<T> result = grid.make<T>(node.axes, 0);
    std::array<const Array<T> *, 3> operands{};
    const int count = info(node.op).operands;
    for (int i = 0; i < count; ++i)
      operands[size_t(i)] = &arrays[size_t(node.operands[size_t(i)])];
    grid.walk(node.axes, [&](const Index &index) {
      std::array<T, 3> v{};
      for (size_t i = 0; i < size_t(count); ++i)
        v[i] = operands[i]->values[grid.offset(index, operands[i]->strides)];
      result.values[grid.offset(index, result.strides)] = apply(node, v[0], v[1], v[2]);
    });
    return result;
  }

  T apply(const Node &node, T a, T b, T c) const {
    switch (node.op) {
    case Op::add: return a + b;
    case Op::sub: return a - b;
    case Op::mul: return a * b;
    case Op::div: return a / b;
    case Op::pow: return power(a, int(node.value));
    case Op::less: return a < b;
    case Op::less_equal: return a <= b;
    case Op::equal: return a == b;
    case Op::select: return a != 0 ? b : c;
    case Op::maximum: return larger(a, b);
    case Op::minimum: return smaller(a, b);
    case Op::neg: return -a;
    case Op::abs: return magnitude(a);
    case Op::sqrt: return sqrt_of(a);
    case Op::rsqrt: return 1 / sqrt_of(a);
    case Op::exp: return exp_of(a);
    case Op::exp2: return exp2_of(a);
    case Op::log: return log_of(a);
    case Op::log2: return log2_of(a);
    case Op::tanh: return tanh_of(a);
    case Op::erf: return erf_of(a);
    case Op::sigmoid: return sigmoid(a);
    case Op::floor: return floor_of(a);
    case Op::ceil: return ceil_of(a);
    case Op::round: return nearbyint_of(a);
    case Op::cast: return round_to(node.dtype, double(a));
    case Op::stored: return round_to(*dtypes[size_t(node.symbol)], double(a));
    default: internal_check(!"a pointwise operation"); return 0;
    }
  }

  const Program &program;
  const std::vector<std::optional<DType>> &dtypes;
  const std::vector<int64_t> &extents;
  const Grid grid;
  const ReferenceInputs &inputs;
  const std::vector<double> &scalars;
  std::vector<Array<T>> arrays;
};

} // namespace

std::map<std::string, ReferenceArray> evaluate(const Program &program, const std::vector<std::optional<DType>> &dtypes,
                                               const std::vector<int64_t> &extents, const ReferenceInputs &inputs) {
  internal_check(extents.size() == program.axes.size() && dtypes.size() == program.tensors.size());
  const std::vector<double> scalars = scalar_values(program, inputs.scalars);
  check_requirements(program, extents, scalars);
  bool wide = false;
  for (size_t i = 0; i < dtypes.size(); ++i)
    wide |= dtypes[i] == DType::f64 && program.tensors[i].role != Tensor::output;
  if (wide)
    return Evaluator<Quad>(program, dtypes, extents, inputs, scalars).run();
  return Evaluator<double>(program, dtypes, extents, inputs, scalars).run();
}

std::map<std::string, ReferenceArray> evaluate(const Problem &problem, const std::vector<int64_t> &extents, const ReferenceInputs &inputs) {
  return evaluate(problem.norm->program, problem.dtypes, extents, inputs);
}

} // namespace normforge
