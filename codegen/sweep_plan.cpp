// How reductions become sweeps. Every node has a time within its nest (codegen/placement.h): the number of sweeps that must have ended
// before it can be evaluated. A leaf has time 0, other nodes the latest time of their operands; a reduction whose operand has time t is
// accumulated in sweep t and its result has time t + 1. LayerNorm by centred statistics thus gets three sweeps, RMSNorm two, without either
// being mentioned here.
#include "codegen/sweep_plan.h"

#include <algorithm>
#include <map>

#include "codegen/placement.h"

namespace normforge {
namespace {

class Planner {
public:
  explicit Planner(SweepPlan &plan) : plan_(plan), program_(plan.specialized.program), placed_(place(program_)) {}

  void run() {
    for (size_t i = 0; i < placed_.nests.size(); ++i)
      if (placed_.nests[i].used) {
        plan_.nests.push_back(build_nest(int(i)));
        nest_number_.push_back(int(i));
      }
    find_temporaries();
  }

private:
  SweepPlan &plan_;
  const Program &program_;
  const Placement placed_;
  std::vector<int> nest_number_; // by nest of the plan: its number among those of the placement

  const Node &node(NodeId id) const { return program_.node(id); }

  // What another nest computes is a leaf here: its value comes from a temporary.
  bool is_leaf(NodeId id, int nest) const { return removes_axes(node(id).op) && placed_.nest_of[size_t(id)] != nest; }

  Nest build_nest(int index) {
    Nest nest;
    nest.reduced = placed_.nests[size_t(index)].over;
    nest.kept = placed_.nests[size_t(index)].axes & ~nest.reduced;

    // What the nest needs, and when. Ids are in topological order, so one pass up marks and one pass down times.
    std::vector<char> needed(program_.nodes.size(), 0);
    for (size_t id = 0; id < program_.nodes.size(); ++id)
      needed[id] = placed_.live[id] && removes_axes(program_.nodes[id].op) && placed_.nest_of[id] == index;
    for (size_t i = 0; i < program_.outputs.size(); ++i)
      if (placed_.output_nest[i] == index)
        needed[size_t(program_.outputs[i].node)] = 1;
    for (size_t id = program_.nodes.size(); id-- > 0;)
      if (needed[id] && !is_leaf(NodeId(id), index))
        for (NodeId operand : operands(program_.nodes[id]))
          needed[size_t(operand)] = 1;

    const auto is_point = [&](NodeId id) { return (node(id).axes & nest.reduced) != 0; };
    std::vector<int> time(program_.nodes.size(), 0);
    int reducing = 0;
    for (size_t id = 0; id < program_.nodes.size(); ++id) {
      if (!needed[id] || is_leaf(NodeId(id), index))
        continue;
      for (NodeId operand : operands(program_.nodes[id]))
        time[id] = std::max(time[id], time[size_t(operand)]);
      if (is_reduction(program_.nodes[id].op))
        reducing = std::max(reducing, ++time[id]);
    }

    int last = reducing - 1;
    for (size_t i = 0; i < program_.outputs.size(); ++i)
      if (const Output &output = program_.outputs[i];
          placed_.output_nest[i] == index && (program_.axes_of(program_.tensors[size_t(output.tensor)]) & nest.reduced))
        last = std::max(last, std::max(time[size_t(output.node)], 0));
    nest.sweeps.resize(size_t(last + 1));

    for (size_t i = 0; i < program_.outputs.size(); ++i) {
      if (placed_.output_nest[i] != index)
        continue;
      const Output &output = program_.outputs[i];
      const Write write{output.tensor, output.node};
      if (program_.axes_of(program_.tensors[size_t(output.tensor)]) & nest.reduced)
        nest.sweeps.back().writes.push_back(write);
      else if (const int t = time[size_t(output.node)]; t == 0)
        nest.row_writes.push_back(write);
      else
        nest.sweeps[size_t(t - 1)].row_writes.push_back(write);
    }
    for (size_t id = 0; id < program_.nodes.size(); ++id) {
      if (!needed[id] || is_point(NodeId(id)))
        continue;
      const bool reduced_here = is_reduction(program_.nodes[id].op) && !is_leaf(NodeId(id), index);
      if (reduced_here)
        nest.sweeps[size_t(time[id] - 1)].reductions.push_back(NodeId(id));
      else
        (time[id] == 0 ? nest.rows : nest.sweeps[size_t(time[id] - 1)].rows).push_back(NodeId(id));
    }
    for (Sweep &sweep : nest.sweeps)
      sweep.points = points_of(sweep, index, is_point);
    for (size_t i = 1; i < nest.sweeps.size(); ++i)
      if (nest.sweeps[i - 1].moments.empty())
        nest.sweeps[i].moments = moments_of(program_, nest.sweeps[i - 1], nest.sweeps[i]);
    return nest;
  }

  // Point nodes below a sweep's reductions and writes.
  template <class IsPoint> std::vector<NodeId> points_of(const Sweep &sweep, int index, IsPoint is_point) const {
    std::vector<char> wanted(program_.nodes.size(), 0);
    for (NodeId id : sweep.reductions)
      wanted[size_t(node(id).operands[0])] = 1;
    for (const Write &write : sweep.writes)
      wanted[size_t(write.node)] = 1;
    std::vector<NodeId> points;
    for (size_t id = program_.nodes.size(); id-- > 0;) {
      if (!wanted[id] || !is_point(NodeId(id)))
        continue;
      points.push_back(NodeId(id));
      if (!is_leaf(NodeId(id), index))
        for (NodeId operand : operands(program_.nodes[id]))
          wanted[size_t(operand)] = 1;
    }
    std::ranges::reverse(points);
    return points;
  }

  // What one nest computes and another reads; the nest that computes it writes it.
  void find_temporaries() {
    const auto each_group = [&](auto visit) { // of nodes that become known together, and the writes that follow them
      for (Nest &nest : plan_.nests) {
        visit(nest, nest.rows, nest.row_writes);
        for (Sweep &sweep : nest.sweeps) {
          visit(nest, sweep.points, sweep.row_writes);
          visit(nest, sweep.reductions, sweep.row_writes);
          visit(nest, sweep.rows, sweep.row_writes);
        }
      }
    };
    const auto made_by = [&](const Nest &nest, NodeId id) {
      return nest_number_[size_t(&nest - plan_.nests.data())] == placed_.nest_of[size_t(id)];
    };
    std::map<NodeId, int> found;
    each_group([&](const Nest &nest, const std::vector<NodeId> &nodes, std::vector<Write> &) {
      for (NodeId id : nodes)
        if (removes_axes(node(id).op) && !made_by(nest, id))
          found.emplace(id, 0);
    });
    for (auto &[id, index] : found) {
      index = int(plan_.temporaries.size());
      const auto nest = std::ranges::find(nest_number_, placed_.nest_of[size_t(id)]) - nest_number_.begin();
      plan_.temporaries.push_back({id, node(id).axes, int(nest)});
    }
    each_group([&](const Nest &nest, const std::vector<NodeId> &nodes, std::vector<Write> &writes) {
      for (NodeId id : nodes)
        if (const auto at = found.find(id); at != found.end() && made_by(nest, id))
          writes.push_back({int(program_.tensors.size()) + at->second, id});
    });
  }
};

} // namespace

SweepPlan make_sweep_plan(const Problem &problem, const PassTrace &trace) {
  SweepPlan plan{problem, specialize(problem, trace), {}, {}};
  Planner(plan).run();
  return plan;
}

std::pair<uint64_t, uint64_t> written_outputs(const SweepPlan &plan) {
  const std::vector<Tensor> &tensors = plan.problem.norm->program.tensors;
  uint64_t at_points = 0, at_rows = 0;
  const auto mark = [&](const std::vector<Write> &writes, uint64_t &mask) {
    for (const Write &write : writes)
      if (size_t(write.tensor) < tensors.size() && tensors[size_t(write.tensor)].role == Tensor::output)
        mask |= uint64_t(1) << write.tensor;
  };
  for (const Nest &nest : plan.nests) {
    mark(nest.row_writes, at_rows);
    for (const Sweep &sweep : nest.sweeps) {
      mark(sweep.writes, at_points);
      mark(sweep.row_writes, at_rows);
    }
  }
  return {at_points, at_rows};
}

int run_axis(const SweepPlan &plan) {
  const AxisSet run = plan.vector_axis() < 0 ? 0 : axis_bit(plan.vector_axis());
  bool reduces = false;
  for (const Nest &nest : plan.nests) {
    if (nest.reduced && nest.reduced != run)
      return -1;
    reduces |= nest.reduced != 0;
  }
  if (!reduces)
    return -1;
  const std::vector<int> &parts = plan.specialized.axes[size_t(plan.vector_axis())].parts;
  return parts.size() == 1 && plan.problem.norm->program.axes[size_t(parts.front())].length < 0 ? parts.front() : -1;
}

bool SweepPlan::transcendental() const {
  return std::ranges::any_of(program().nodes, [](const Node &node) { return info(node.op).transcendental; });
}

bool SweepPlan::has_moments() const {
  return std::ranges::any_of(
      nests, [](const Nest &nest) { return std::ranges::any_of(nest.sweeps, [](const Sweep &sweep) { return !sweep.moments.empty(); }); });
}

} // namespace normforge
