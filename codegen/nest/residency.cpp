#include "codegen/nest/residency.h"

#include <algorithm>

namespace normforge::nest {
namespace {

/// In simple operations, roughly, beyond the load that the buffer costs too: what a point node costs by itself.
int operations_of(const SweepPlan &plan, NodeId id) {
  const Node &node = plan.program().node(id);
  if (is_reduction(node.op))
    return 0;
  if (node.op != Op::tensor)
    return info(node.op).transcendental ? 15 : 1;
  const DType dtype = *plan.specialized.dtypes[size_t(node.symbol)];
  return dtype == plan.specialized.compute ? 0 : dtype == DType::bf16 ? 1 : 2;
}

class Chooser {
public:
  Chooser(const SweepPlan &plan, const NestShape &shape, Keep keep) : plan(plan), program(plan.program()), shape(shape), keep(keep) {}

  Residency choose() {
    const auto &sweeps = shape.nest.sweeps;
    Residency result;
    result.slot.assign(program.nodes.size(), -1);
    result.output.assign(program.nodes.size(), -1);
    std::vector<char> kept(program.nodes.size(), 0);
    std::vector<int> free; // slots whose value no later sweep wants
    for (size_t s = 0; s < sweeps.size(); ++s) {
      const std::vector<char> here = needed(sweeps[s], kept);
      result.points.push_back(list(here));
      std::vector<NodeId> &leaves = result.leaves.emplace_back();
      if (keep == Keep::reread)
        continue;
      const std::vector<char> passing = about_chunk_means(sweeps[s]);
      std::vector<char> now = kept;
      for (size_t later = s + 1; later < sweeps.size(); ++later) {
        const std::vector<char> there = needed(sweeps[later], now);
        for (NodeId id : result.points.back())
          if (there[size_t(id)] && !now[size_t(id)] && !passing[size_t(id)] && is_frontier(id, sweeps[later], here, there) &&
              worth_keeping(id, kept) && (keep != Keep::output || find_output(id, s, now, result.output))) {
            leaves.push_back(id);
            now[size_t(id)] = 1;
          }
      }
      for (size_t id = 0; id < kept.size(); ++id)
        if (kept[id] && !wanted_after(NodeId(id), s, now))
          free.push_back(result.slot[id]), now[id] = 0;
      kept = now;
      if (keep == Keep::output) // which takes no slots
        continue;
      for (NodeId id : leaves) {
        if (free.empty())
          free.push_back(result.slots++);
        result.slot[size_t(id)] = free.back();
        free.pop_back();
      }
    }
    if (result.slots)
      result.slot_bytes = kept_elements(plan, shape) * info(plan.specialized.compute).bytes;
    return result;
  }

private:
  bool is_point(NodeId id) const { return (program.node(id).axes & shape.nest.reduced) != 0; }

  /// Point nodes that `sweep` must have; of what is kept, nothing below.
  std::vector<char> needed(const Sweep &sweep, const std::vector<char> &kept) const {
    std::vector<char> marked(program.nodes.size(), 0);
    for (NodeId id : sweep.reductions)
      marked[size_t(program.node(id).operands[0])] = 1;
    for (const Write &write : sweep.writes)
      marked[size_t(write.node)] = 1;
    for (NodeId id = NodeId(program.nodes.size()) - 1; id >= 0; --id) {
      if (!is_point(id))
        marked[size_t(id)] = 0;
      if (!marked[size_t(id)] || kept[size_t(id)] || is_reduction(program.node(id).op))
        continue;
      for (int i = 0; i < info(program.node(id).op).operands; ++i)
        marked[size_t(program.node(id).operands[size_t(i)])] = 1;
    }
    return marked;
  }

  /// Nodes whose value in a sweep that runs chunk by chunk with the one before it is not the row's.
  std::vector<char> about_chunk_means(const Sweep &sweep) const {
    std::vector<char> marked(program.nodes.size(), 0);
    for (const Moment &moment : sweep.moments)
      marked[size_t(moment.mean)] = 1;
    for (size_t id = 0; id < program.nodes.size(); ++id)
      for (int i = 0; i < info(program.nodes[id].op).operands; ++i)
        marked[id] |= marked[size_t(program.nodes[id].operands[size_t(i)])];
    return marked;
  }

  std::vector<NodeId> list(const std::vector<char> &marked) const {
    std::vector<NodeId> ids;
    for (size_t id = 0; id < marked.size(); ++id)
      if (marked[id])
        ids.push_back(NodeId(id));
    return ids;
  }

  /// Whether `later` uses the node for something that the present sweep does not evaluate.
  bool is_frontier(NodeId id, const Sweep &later, const std::vector<char> &here, const std::vector<char> &there) const {
    for (size_t user = size_t(id) + 1; user < program.nodes.size(); ++user)
      if (there[user] && !here[user])
        for (int i = 0; i < info(program.nodes[user].op).operands; ++i)
          if (program.nodes[user].operands[size_t(i)] == id)
            return true;
    const auto is_operand = [&](NodeId reduction) { return program.node(reduction).operands[0] == id; };
    const auto is_written = [&](const Write &write) { return write.node == id; };
    return std::ranges::any_of(later.reductions, is_operand) || std::ranges::any_of(later.writes, is_written);
  }

  bool wanted_after(NodeId id, size_t sweep, const std::vector<char> &kept) const {
    for (size_t later = sweep + 1; later < shape.nest.sweeps.size(); ++later)
      if (needed(shape.nest.sweeps[later], kept)[size_t(id)])
        return true;
    return false;
  }

  bool worth_keeping(NodeId id, const std::vector<char> &kept) const {
    if (shape.vector_axis < 0 || !(program.node(id).axes & axis_bit(shape.vector_axis)))
      return false;
    return keep == Keep::registers || cost_of(id, kept) >= 1;
  }

  /// Lets an output hold what sweep `s` leaves of a node, where one can: it has the compute type and every point, the sweep that writes it
  /// is the last that wants the node, and nothing that lies in its place is read until then.
  bool find_output(NodeId id, size_t s, std::vector<char> kept, std::vector<int> &output) const {
    const AxisSet all = shape.nest.kept | shape.nest.reduced;
    kept[size_t(id)] = 1;
    for (size_t last = s + 1; last < shape.nest.sweeps.size() && program.node(id).axes == all; ++last)
      for (const Write &write : shape.nest.sweeps[last].writes) {
        const auto tensor = size_t(write.tensor);
        if (tensor >= program.tensors.size() || program.tensors[tensor].role != Tensor::output ||
            program.axes_of(program.tensors[tensor]) != all || plan.specialized.dtypes[tensor] != plan.specialized.compute ||
            std::ranges::find(output, write.tensor) != output.end() || wanted_after(id, last, kept) ||
            reads_in_place(tensor, s, last, kept))
          continue;
        output[size_t(id)] = write.tensor;
        return true;
      }
    return false;
  }

  /// Whether a sweep after `s`, up to `last`, reads an input that may lie in an output's place: a call may have any of its axes and width
  /// there, whatever the problem says. A row's first element may be read at any time.
  bool reads_in_place(size_t output, size_t s, size_t last, const std::vector<char> &kept) const {
    const auto may_lie_there = [&](int input) {
      const Tensor &tensor = program.tensors[size_t(input)];
      return tensor.role == Tensor::input && program.axes_of(tensor) == program.axes_of(program.tensors[output]) &&
             info(*plan.specialized.dtypes[size_t(input)]).bytes == info(*plan.specialized.dtypes[output]).bytes;
    };
    bool any = false, picks = false;
    for (const Node &node : program.nodes) {
      any |= node.op == Op::tensor && may_lie_there(node.symbol);
      picks |= node.op == Op::first;
    }
    for (size_t sweep = s + 1; sweep <= last && any; ++sweep)
      for (NodeId id : list(needed(shape.nest.sweeps[sweep], kept)))
        if (program.node(id).op == Op::tensor && may_lie_there(program.node(id).symbol))
          return true;
    return any && picks;
  }

  int cost_of(NodeId id, const std::vector<char> &kept) const {
    if (!is_point(id) || kept[size_t(id)])
      return 0;
    const Node &node = program.node(id);
    int cost = operations_of(plan, id);
    for (int i = 0; i < info(node.op).operands && !is_reduction(node.op); ++i)
      cost += cost_of(node.operands[size_t(i)], kept);
    return std::min(cost, 100);
  }

  const SweepPlan &plan;
  const Program &program;
  const NestShape &shape;
  const Keep keep;
};

} // namespace

int64_t padded_run(const NestShape &shape, int64_t extent) {
  return (extent + shape.width - 1) / shape.width * shape.width + (shape.streams ? shape.width : 0);
}

int64_t kept_elements(const SweepPlan &plan, const NestShape &shape) {
  int64_t elements = shape.inner ? 1 : shape.width;
  for (int axis : shape.reduced) {
    const Extent &extent = plan.specialized.axes[size_t(axis)].extent;
    if (!extent.fixed())
      return 0;
    int64_t padded = extent.lo;
    if (axis == shape.vector_axis)
      padded = padded_run(shape, padded);
    if (__builtin_mul_overflow(elements, padded, &elements))
      return 0;
  }
  return elements;
}

int operations(const SweepPlan &plan, const Residency &residency) {
  int count = 0;
  std::vector<char> filled(plan.program().nodes.size(), 0);
  for (size_t sweep = 0; sweep < residency.points.size(); ++sweep) {
    for (NodeId id : residency.points[sweep])
      count += filled[size_t(id)] ? 0 : operations_of(plan, id);
    for (NodeId id : residency.leaves[sweep])
      filled[size_t(id)] = 1;
  }
  return count;
}

Residency residency_of(const SweepPlan &plan, const NestShape &shape, Keep keep) { return Chooser(plan, shape, keep).choose(); }

} // namespace normforge::nest
