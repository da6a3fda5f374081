#include "autotune/shapes.h"

#include <algorithm>
#include <cmath>

#include "codegen/check/sample_inputs.h"

namespace normforge {
namespace {

constexpr int64_t kStep = 8;                  ///< from one step of the ladder to the next
constexpr int64_t kMostBytes = 256 << 20;     ///< a call past that is bound by memory, and what holds there holds for larger ones
constexpr double kKept = 64, kReduced = 1024; ///< ordinary numbers of kept and of reduced indices, all open axes together

int64_t within(const Extent &extent, int64_t n) { return std::clamp(n, std::max<int64_t>(extent.lo, 1), std::max<int64_t>(extent.hi, 1)); }

} // namespace

AxisSet kept_axes(const Program &program) {
  AxisSet reduced = 0, all = 0;
  for (const Node &node : program.nodes)
    if (is_reduction(node.op))
      reduced |= node.over;
  for (size_t axis = 0; axis < program.axes.size(); ++axis)
    all |= axis_bit(int(axis));
  return all & ~reduced;
}

int ladder_axis(const Problem &problem) {
  const AxisSet kept = kept_axes(problem.norm->program);
  for (int axis : problem.order)
    if (kept & axis_bit(axis) && !problem.extents[size_t(axis)].fixed())
      return axis;
  return -1;
}

std::vector<int64_t> fixed_extents(const Problem &problem) {
  std::vector<int64_t> extents;
  for (const Extent &extent : problem.extents)
    extents.push_back(extent.lo);
  return extents;
}

int64_t tensor_bytes(const Problem &shape) {
  const Program &program = shape.norm->program;
  int64_t total = 0;
  for (size_t t = 0; t < program.tensors.size(); ++t) {
    if (!present(shape, int(t)))
      continue;
    int64_t bytes = info(*shape.dtypes[t]).bytes;
    for (int axis : program.tensors[t].axes)
      bytes = checked_product(bytes, shape.extents[size_t(axis)].lo, "the size of " + program.tensors[t].name);
    total += bytes;
  }
  return total;
}

std::vector<Problem> measured_shapes(const Problem &problem) {
  const AxisSet kept = kept_axes(problem.norm->program);
  const int ladder = ladder_axis(problem);
  const auto ordinary = [&](int axis) { // each open axis gets an equal share, on a logarithmic scale
    if (axis == ladder)
      return int64_t(1);
    const bool is_kept = kept & axis_bit(axis);
    int open = 0;
    for (size_t other = 0; other < problem.extents.size(); ++other)
      open += int(other) != ladder && !problem.extents[other].fixed() && bool(kept & axis_bit(int(other))) == is_kept;
    return int64_t(std::lround(std::pow(is_kept ? kKept : kReduced, 1.0 / std::max(open, 1))));
  };
  Problem shape = problem;
  for (size_t axis = 0; axis < shape.extents.size(); ++axis) {
    const int64_t n = within(problem.extents[axis], ordinary(int(axis)));
    shape.extents[axis] = problem.extents[axis].fixed() ? problem.extents[axis] : Extent{n, n};
  }
  if (ladder < 0)
    return {shape};
  const Extent range = problem.extents[size_t(ladder)];
  const int64_t first = within(range, 1);
  std::vector<Problem> shapes;
  const auto add = [&](int64_t n) {
    shape.extents[size_t(ladder)] = {n, n};
    if (n > first && tensor_bytes(shape) > kMostBytes)
      return false;
    shapes.push_back(shape);
    return true;
  };
  add(first);
  int64_t step = kStep;
  while (step <= first)
    step *= kStep;
  for (; step <= range.hi / 2 && add(step); step *= kStep) {
  }
  if (step > range.hi / 2 && range.hi > first)
    add(range.hi);
  return shapes;
}

} // namespace normforge
