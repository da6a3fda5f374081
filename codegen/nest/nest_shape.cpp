#include "codegen/nest/nest_shape.h"

#include <algorithm>
#include <bit>

#include "llvm/Support/FormatVariadic.h"

namespace normforge::nest {
namespace {

constexpr int64_t kUnbounded = std::numeric_limits<int64_t>::max();

int64_t saturating_product(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? kUnbounded : product;
}

std::vector<int> list_of(AxisSet axes) {
  std::vector<int> list;
  for (; axes; axes &= axes - 1)
    list.push_back(std::countr_zero(axes));
  return list;
}

/// A nest without reductions as a sweep along its innermost axis.
Nest as_sweep(const SweepPlan &plan, const Nest &nest) {
  const AxisSet moved = std::bit_floor(nest.kept);
  const Program &program = plan.program();
  Nest result{nest.kept & ~moved, moved, {}, {}, {Sweep{}}};
  Sweep &sweep = result.sweeps.front();
  for (NodeId id : nest.rows)
    (program.node(id).axes & moved ? sweep.points : result.rows).push_back(id);
  for (const Write &write : nest.row_writes)
    (program.axes_of(program.tensors[size_t(write.tensor)]) & moved ? sweep.writes : result.row_writes).push_back(write);
  return result;
}

/// Everything below the nodes that a nest names, reductions and what stands below them left out.
std::vector<NodeId> nodes_of(const SweepPlan &plan, const Nest &nest) {
  const Program &program = plan.program();
  std::vector<char> wanted(program.nodes.size(), 0);
  const auto want = [&](const std::vector<NodeId> &ids) {
    for (NodeId id : ids)
      wanted[size_t(id)] = 1;
  };
  const auto want_written = [&](const std::vector<Write> &writes) {
    for (const Write &write : writes)
      wanted[size_t(write.node)] = 1;
  };
  want(nest.rows);
  want_written(nest.row_writes);
  for (const Sweep &sweep : nest.sweeps) {
    want(sweep.points), want(sweep.rows);
    want_written(sweep.writes), want_written(sweep.row_writes);
    for (NodeId id : sweep.reductions)
      wanted[size_t(program.node(id).operands[0])] = wanted[size_t(id)] = 1;
  }
  std::vector<NodeId> nodes;
  for (NodeId id = NodeId(program.nodes.size()) - 1; id >= 0; --id) {
    const Node &node = program.node(id);
    if (!wanted[size_t(id)])
      continue;
    nodes.push_back(id);
    if (!is_reduction(node.op))
      for (int i = 0; i < info(node.op).operands; ++i)
        wanted[size_t(node.operands[size_t(i)])] = 1;
  }
  std::ranges::reverse(nodes);
  return nodes;
}

/// Memory order, but an axis that a length varies over stands outside the axis that the length bounds. The vector axis stays innermost.
std::vector<int> loop_order(const Program &program, AxisSet reduced, bool inner) {
  std::vector<int> order = list_of(reduced);
  const size_t movable = order.size() - (inner && !order.empty());
  const auto bounds = [&](int outer, int inner) {
    const int length = program.axes[size_t(inner)].length;
    return length >= 0 && (program.axes_of(program.tensors[size_t(length)]) & axis_bit(outer));
  };
  for (size_t i = 0; i < movable; ++i)
    for (size_t k = i + 1; k < movable; ++k)
      if (bounds(order[k], order[i]))
        std::swap(order[i], order[k]);
  return order;
}

int64_t bytes_per_item(const SweepPlan &plan, const NestShape &shape) {
  const Program &program = plan.program();
  AxisSet within = shape.nest.reduced;
  int64_t tile = 1;
  if (!shape.inner) {
    within |= axis_bit(shape.vector_axis);
    tile = std::max<int64_t>(1, std::min<int64_t>(shape.width, plan.specialized.axes[size_t(shape.vector_axis)].extent.lo));
  }
  std::vector<char> moved(program.tensors.size(), 0);
  for (NodeId id : shape.nodes)
    if (program.node(id).op == Op::tensor)
      moved[size_t(program.node(id).symbol)] = 1;
  const auto mark = [&](const std::vector<Write> &writes) {
    for (const Write &write : writes)
      if (size_t(write.tensor) < program.tensors.size())
        moved[size_t(write.tensor)] += 2;
  };
  for (const Sweep &sweep : shape.nest.sweeps)
    mark(sweep.writes), mark(sweep.row_writes);
  int64_t bytes = 0;
  for (size_t t = 0; t < program.tensors.size(); ++t) {
    if (!moved[t])
      continue;
    int64_t elements = 1;
    for (int axis : program.tensors[t].axes)
      if (axis == shape.vector_axis && !shape.inner)
        elements = saturating_product(elements, tile);
      else if (within & axis_bit(axis))
        elements = saturating_product(elements, plan.specialized.axes[size_t(axis)].extent.lo);
    const int64_t once = saturating_product(elements, info(*plan.specialized.dtypes[t]).bytes);
    bytes = std::min(kUnbounded / 4, bytes + std::min(kUnbounded / 4, once * (moved[t] == 3 ? 2 : 1)));
  }
  return bytes;
}

} // namespace

std::optional<std::string> unordered_length(const SweepPlan &plan, const NestShape &shape) {
  const Program &program = plan.program();
  AxisSet outside = 0;
  for (int axis : shape.kept)
    outside |= axis_bit(axis);
  const auto problem_with = [&](int axis) -> std::optional<std::string> {
    const int length = program.axes[size_t(axis)].length;
    if (length < 0 || !(program.axes_of(program.tensors[size_t(length)]) & (shape.nest.kept | shape.nest.reduced) & ~outside))
      return std::nullopt;
    return llvm::formatv("{0}: axis {1} is bounded by {2}, whose axes must stand outside it in memory order", program.name,
                         program.axes[size_t(axis)].name, program.tensors[size_t(length)].name)
        .str();
  };
  for (int axis : shape.kept)
    if (const auto reason = problem_with(axis))
      return reason;
  for (int axis : shape.reduced) {
    if (const auto reason = problem_with(axis))
      return reason;
    outside |= axis_bit(axis);
  }
  return shape.inner ? std::nullopt : problem_with(shape.vector_axis);
}

bool is_outer(const Nest &nest) { return nest.reduced && nest.kept > nest.reduced; }

Extent extent_over(const SweepPlan &plan, AxisSet axes) {
  Extent total{1, 1};
  for (int axis : list_of(axes)) {
    const Extent &extent = plan.specialized.axes[size_t(axis)].extent;
    total = {saturating_product(total.lo, extent.lo), saturating_product(total.hi, extent.hi)};
  }
  return total;
}

uint64_t norm_axes(const SweepPlan &plan, AxisSet axes) {
  uint64_t parts = 0;
  for (int axis : list_of(axes))
    for (int part : plan.specialized.axes[size_t(axis)].parts)
      parts |= axis_bit(part);
  return parts;
}

ChunkShape chunk_shape(const SweepPlan &plan, const NestShape &shape, const Numerics &numerics) {
  if (shape.reduced.empty())
    return ChunkShape::one;
  const int run_axis = shape.reduced.back();
  const Extent run = plan.specialized.axes[size_t(run_axis)].extent;
  const Extent runs = extent_over(plan, shape.nest.reduced & ~axis_bit(run_axis));
  if (run.hi <= numerics.chunk && runs.hi <= numerics.chunk / std::max<int64_t>(1, run.hi))
    return ChunkShape::one;
  return shape.reduced.size() == 1 || run.lo > numerics.chunk / 2 ? ChunkShape::pieces : ChunkShape::grouped;
}

int64_t most_chunks(const SweepPlan &plan, const NestShape &shape, const Numerics &numerics, int64_t points) {
  const int64_t least = shape.reduced.size() == 1 ? numerics.chunk : std::max<int64_t>(1, numerics.chunk / 2);
  return std::min(points, extent_over(plan, shape.nest.reduced).hi) / least + 1;
}

constexpr int64_t kLeastLanes = 32; ///< along a row

/// Lanes that no element reaches fold to nothing: a row of at most `run` elements has the first power of two of them that has them all, and
/// of these its threads have what they reach.
void fit_lanes(NestShape &shape, int64_t run, const NestMapping &mapping) {
  if (run >= shape.lanes)
    return;
  const int64_t reached = std::max(kLeastLanes, run), shares = (reached + mapping.share - 1) / mapping.share * mapping.share;
  shape.lanes = shape.width = int(std::min(int64_t(shape.lanes), int64_t(std::bit_ceil(uint64_t(reached)))));
  if (mapping.share > 1 && shares <= shape.lanes)
    shape.width = int(shares);
}

NestShape shape_of(const SweepPlan &plan, const Nest &planned, const Numerics &numerics, const NestMapping &mapping) {
  NestShape shape;
  shape.nest = planned;
  shape.number = int(&planned - plan.nests.data());
  if (!planned.reduced && planned.kept) {
    shape.nest = as_sweep(plan, planned);
    shape.asks_at_points = true;
  }
  if (numerics.algorithm != Numerics::chunked)
    for (Sweep &sweep : shape.nest.sweeps)
      sweep.moments.clear();
  const Nest &nest = shape.nest;
  const AxisSet all = nest.kept | nest.reduced;
  shape.vector_axis = all ? 63 - std::countl_zero(all) : -1;
  shape.inner = !is_outer(nest);
  const AxisSet lane_axis = shape.inner || !all ? 0 : axis_bit(shape.vector_axis);
  shape.kept = list_of(nest.kept & ~lane_axis);
  shape.reduced = loop_order(plan.program(), nest.reduced, shape.inner);
  shape.nodes = nodes_of(plan, nest);
  for (int axis : list_of(all))
    if (plan.program().axes[size_t(axis)].length >= 0)
      (nest.reduced & axis_bit(axis) ? shape.ragged_reduction : shape.ragged_kept) = true;

  shape.streams = mapping.stream && !nest.sweeps.empty() && nest.sweeps.back().reductions.empty();
  shape.lanes = shape.width = numerics.lanes;
  if (shape.inner && shape.vector_axis >= 0)
    fit_lanes(shape, plan.specialized.axes[size_t(shape.vector_axis)].extent.hi, mapping);
  if (!shape.inner) {
    shape.width = mapping.tile;
    if (const Extent &extent = plan.specialized.axes[size_t(shape.vector_axis)].extent; extent.hi < shape.width)
      shape.width = int(std::bit_ceil(uint64_t(std::max<int64_t>(1, extent.hi))));
    shape.lanes = shape.width;
  }
  shape.items = {norm_axes(plan, nest.kept & ~lane_axis), norm_axes(plan, lane_axis), lane_axis ? shape.width : 1, 1};
  shape.item_bytes = bytes_per_item(plan, shape);
  return shape;
}

} // namespace normforge::nest
