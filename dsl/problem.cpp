// Problems: their defaults and their canonical text.
#include "dsl/problem.h"

#include <algorithm>
#include <numeric>

#include "dsl/error.h"

namespace normforge {
namespace {

std::string to_text(const Extent &extent) {
  if (extent.fixed())
    return std::to_string(extent.lo);
  return std::to_string(extent.lo) + ".." + (extent.hi == Extent{}.hi ? "" : std::to_string(extent.hi));
}

} // namespace

bool Problem::operator==(const Problem &other) const {
  const auto hash = [](const NormRef &norm) { return norm ? norm->hash : 0; };
  return hash(norm) == hash(other.norm) && extents == other.extents && dtypes == other.dtypes && layouts == other.layouts &&
         order == other.order && outputs == other.outputs && in_place == other.in_place;
}

DType default_dtype(const Program &program, int index, DType first) {
  const Tensor &tensor = program.tensors[size_t(index)];
  if (tensor.role == Tensor::length)
    return DType::i32;
  if (index == 0)
    return first;
  if (tensor.dtype)
    return *tensor.dtype;
  const AxisSet whole = program.axes_of(program.tensors[0]);
  if (tensor.role == Tensor::input || (program.axes_of(tensor) & whole) == whole)
    return first;
  return first == DType::f64 ? DType::f64 : DType::f32;
}

Problem default_problem(NormRef norm) {
  const Program &program = norm->program;
  Problem problem;
  problem.extents.resize(program.axes.size());
  problem.layouts.resize(program.tensors.size(), Layout::dense);
  problem.order.resize(program.axes.size());
  std::iota(problem.order.begin(), problem.order.end(), 0);
  for (size_t tensor = 0; tensor < program.tensors.size(); ++tensor) {
    problem.dtypes.push_back(default_dtype(program, int(tensor), program.tensors[0].dtype.value_or(DType::f32)));
    if (program.tensors[tensor].role == Tensor::output)
      problem.outputs |= uint64_t(1) << tensor;
  }
  problem.norm = std::move(norm);
  return problem;
}

int64_t checked_product(int64_t a, int64_t b, std::string_view what) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product))
    throw UserError(std::string(what) + ": " + std::to_string(a) + " x " + std::to_string(b) + " does not fit 63 bits");
  return product;
}

std::string to_text(const Problem &problem) {
  const Program &program = problem.norm->program;
  const Problem plain = default_problem(problem.norm);
  std::string out = problem.norm->source;
  for (size_t axis = 0; axis < program.axes.size(); ++axis)
    if (problem.extents[axis] != Extent{})
      out += " " + program.axes[axis].name + "=" + to_text(problem.extents[axis]);
  for (size_t i = 0; i < program.tensors.size(); ++i)
    if (problem.dtypes[i] != (i == 0 ? plain.dtypes[0] : default_dtype(program, int(i), *problem.dtypes[0])))
      out += " " + program.tensors[i].name + "=" + std::string(problem.dtypes[i] ? name(*problem.dtypes[i]) : "none");
  const auto list = [&](std::string_view key, bool said, auto &&items) {
    std::string joined;
    if (said)
      items([&](const std::string &item) { joined += (joined.empty() ? "" : ",") + item; });
    if (said)
      out.append(" ").append(key).append("=").append(joined.empty() ? "none" : joined);
  };
  list("outputs", problem.outputs != plain.outputs, [&](auto &&item) {
    for (size_t i = 0; i < program.tensors.size(); ++i)
      if (problem.wants(int(i)))
        item(program.tensors[i].name);
  });
  list("order", problem.order != plain.order, [&](auto &&item) {
    for (int axis : problem.order)
      item(program.axes[size_t(axis)].name);
  });
  list("strides", problem.layouts != plain.layouts, [&](auto &&item) {
    for (size_t i = 0; i < program.tensors.size(); ++i)
      if (problem.layouts[i] != Layout::dense)
        item(program.tensors[i].name + ":" + std::string(kLayoutNames[size_t(problem.layouts[i])]));
  });
  list("inplace", !problem.in_place.empty(), [&](auto &&item) {
    for (const auto &[output, input] : problem.in_place)
      item(program.tensors[size_t(output)].name + ":" + program.tensors[size_t(input)].name);
  });
  return out;
}

} // namespace normforge
