// Rewrites keep the meaning: for every norm of the catalogue and many problems, the reference evaluator gives the same on the specialised
// program as on the norm, and every program survives the way into the dialect and back.
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "dsl/reference.h"
#include "tests/dialect/support.h"

namespace normforge::dialect {
namespace {

using Extents = std::vector<int64_t>;

/// `array`, over a tensor's axes in declared order, with its dimensions in memory order: what lies in memory, read in sequence.
ReferenceArray in_memory_order(const Problem &problem, const Tensor &tensor, const ReferenceArray &array) {
  std::vector<size_t> dimensions; // of `array`, outermost in memory first
  for (int axis : problem.order)
    if (auto at = std::ranges::find(tensor.axes, axis); at != tensor.axes.end())
      dimensions.push_back(size_t(at - tensor.axes.begin()));
  std::vector<size_t> strides(tensor.axes.size(), 1);
  for (size_t d = tensor.axes.size(); d-- > 1;)
    strides[d - 1] = strides[d] * size_t(array.extents[d]);
  ReferenceArray result;
  for (size_t d : dimensions)
    result.extents.push_back(array.extents[d]);
  for (size_t i = 0; i < array.values.size(); ++i) {
    size_t rest = i, offset = 0;
    for (size_t d = dimensions.size(); d-- > 0;) {
      offset += rest % size_t(result.extents[d]) * strides[dimensions[d]];
      rest /= size_t(result.extents[d]);
    }
    result.values.push_back(array.values[offset]);
  }
  return result;
}

Extents collapsed(const Specialized &specialized, const Extents &extents) {
  Extents result;
  for (const CollapsedAxis &axis : specialized.axes) {
    result.push_back(1);
    for (int part : axis.parts)
      result.back() *= extents[size_t(part)];
  }
  return result;
}

/// Data away from 0 for tensors over all axes of the first, positive for the others (variances, counts), any length for lengths.
ReferenceInputs random_inputs(const Problem &problem, const Extents &extents, std::mt19937_64 &random) {
  const Program &program = problem.norm->program;
  ReferenceInputs inputs;
  for (size_t t = 0; t < program.tensors.size(); ++t) {
    const Tensor &tensor = program.tensors[t];
    if (tensor.role == Tensor::output || !problem.dtypes[t])
      continue;
    ReferenceArray &array = inputs.tensors[tensor.name];
    size_t count = 1;
    for (int axis : tensor.axes) {
      array.extents.push_back(extents[size_t(axis)]);
      count *= size_t(extents[size_t(axis)]);
    }
    const bool data = program.axes_of(tensor) == program.axes_of(program.tensors.front());
    for (size_t i = 0; i < count; ++i) {
      double value = data ? std::normal_distribution(5.0, 1.0)(random) : std::uniform_real_distribution(0.5, 1.5)(random);
      if (tensor.role == Tensor::length)
        value = double(std::uniform_int_distribution(0, 6)(random));
      array.values.push_back(round_to(*problem.dtypes[t], value));
    }
  }
  return inputs;
}

void expect_same_meaning(const Problem &problem, const Extents &extents, std::mt19937_64 &random) {
  SCOPED_TRACE(to_text(problem));
  const Program &norm = problem.norm->program;
  const Specialized specialized = specialize(problem);
  const ReferenceInputs inputs = random_inputs(problem, extents, random);
  const auto expected = evaluate(problem, extents, inputs);

  ReferenceInputs collapsed_inputs{{}, inputs.scalars};
  const Extents collapsed_extents = collapsed(specialized, extents);
  for (const auto &[name, array] : inputs.tensors) {
    const int index = norm.tensor_named(name);
    ReferenceArray flat = in_memory_order(problem, norm.tensors[size_t(index)], array);
    flat.extents.clear();
    for (int axis : specialized.program.tensors[size_t(index)].axes)
      flat.extents.push_back(collapsed_extents[size_t(axis)]);
    collapsed_inputs.tensors[name] = flat;
  }
  const auto found = evaluate(specialized.program, specialized.dtypes, collapsed_extents, collapsed_inputs);

  // What is stored in the dtype of the computation needs no cast: it is rounded anyway. The evaluator computes in double and sees the
  // difference.
  const bool rounds = problem.norm->text.find("stored") != std::string::npos && specialized.compute == DType::f32;
  const double tolerance = rounds ? 1e-5 : 1e-11;
  for (const Output &output : specialized.program.outputs) {
    const Tensor &tensor = norm.tensors[size_t(output.tensor)];
    const std::vector<double> want = in_memory_order(problem, tensor, expected.at(tensor.name)).values;
    const std::vector<double> &got = found.at(tensor.name).values;
    ASSERT_EQ(got.size(), want.size()) << tensor.name;
    for (size_t i = 0; i < want.size(); ++i)
      if (!(std::isnan(want[i]) && std::isnan(got[i])))
        ASSERT_NEAR(got[i], want[i], tolerance * std::max(1.0, std::fabs(want[i]))) << tensor.name << " " << i;
  }
}

/// What is in no catalogue: nested statistics, reductions over different axes, conditions, statistics that are only known by their formula.
constexpr std::string_view kMore = R"(
norm two_ways(x[batch, channel, space...]) -> y[batch, channel, space...], z[channel] {
  row = avg(x, space)
  c   = x - row
  col = avg(c, batch, space)
  y   = (c - col) * rsqrt(avg((c - col)^2, batch, space) + 1e-3)
  z   = max(avg(abs(y), space), batch)
}
norm by_formula(x[rows..., cols...]) -> y[rows..., cols...], var[rows...] {
  n   = count(cols)
  m   = sum(x, cols) / n
  var = avg(x * x, cols) - m^2
  y   = (-m + x) / sqrt(var + 1e-5)
}
norm mean_of_means(x[batch, channel, space...]) -> y[batch, channel, space...] {
  y = x - avg(avg(x, space), batch)
}
norm positive_part(x[rows..., cols...]; floor = 0.25) -> y[rows..., cols...], m[rows...] {
  p = select(x > floor, x, floor * x)
  m = avg(p, cols)
  y = m - p
}
norm ragged_both(x[batch, seq < length[batch], channel], w[seq]) -> y[batch, seq, channel], m[batch], n[batch] {
  v = x * w
  m = avg(v, seq, channel)
  n = count(seq, channel)
  y = (v - m) * n
}
norm powers(x[rows, cols], a[rows]) -> y[rows, cols] {
  y = (x - avg(x, cols))^3 + a^-2 + x^0 + 2^2
}
)";

TEST(Meaning, SpecialisedProgramsComputeWhatTheNormSays) {
  std::mt19937_64 random(1);
  std::vector<NormRef> norms = catalogue();
  for (const NormRef &norm : parse_norms(kMore, "more"))
    norms.push_back(norm);
  for (const NormRef &norm : norms) {
    const Program &program = norm->program;
    const int axes = int(program.axes.size());
    Extents extents;
    for (int axis = 0; axis < axes; ++axis)
      extents.push_back(3 + axis);
    const Problem plain = default_problem(norm);
    expect_same_meaning(plain, extents, random);

    Problem absent = plain, narrow = plain, wide = plain, backwards = plain;
    for (size_t t = 0; t < program.tensors.size(); ++t) {
      if (program.tensors[t].fallback)
        absent.dtypes[t] = std::nullopt;
      if (program.tensors[t].role != Tensor::length)
        narrow.dtypes[t] = wide.dtypes[t] == DType::i8 ? DType::i8 : DType::bf16,
        wide.dtypes[t] = wide.dtypes[t] == DType::i8 ? DType::i8 : DType::f64;
    }
    std::ranges::reverse(backwards.order);
    for (const Problem &problem : {absent, narrow, wide, backwards})
      expect_same_meaning(problem, extents, random);

    // Every axis outermost in turn, every axis of extent 1, every output alone.
    for (int axis = 0; axis < axes; ++axis) {
      Problem rotated = plain, one = plain;
      std::ranges::rotate(rotated.order, rotated.order.begin() + axis);
      expect_same_meaning(rotated, extents, random);
      Extents with_one = extents;
      one.extents[size_t(axis)] = {1, 1};
      with_one[size_t(axis)] = 1;
      one.layouts[0] = Layout::rows;
      expect_same_meaning(one, with_one, random);
    }
    for (size_t t = 0; t < program.tensors.size(); ++t)
      if (program.tensors[t].role == Tensor::output) {
        Problem alone = plain;
        alone.outputs = uint64_t(1) << t;
        expect_same_meaning(alone, extents, random);
      }
  }
}

TEST(Meaning, EveryNormSurvivesTheWayIntoTheDialectAndBack) {
  TestContext test;
  for (const NormRef &norm : catalogue()) {
    mlir::OwningOpRef<FuncOp> func = import_program(test.context, norm->program, norm->node_names);
    EXPECT_EQ(export_program(*func), norm->program) << norm->text;
    mlir::OwningOpRef<FuncOp> parsed = test.parse(text_of(*func));
    ASSERT_TRUE(parsed) << test.errors;
    EXPECT_EQ(export_program(*parsed), norm->program) << text_of(*func);
  }
}

} // namespace
} // namespace normforge::dialect
