#include "codegen/placement.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace normforge {
namespace {

class Placer {
public:
  explicit Placer(const Program &program) : program(program) {}

  Placement run() {
    find_live();
    place_reductions();
    place_outputs();
    return std::move(placed);
  }

private:
  // Reductions of one nest: how many nests must have ended before it, and the axes that are reduced.
  struct Key {
    int level;
    AxisSet over;
    auto operator<=>(const Key &) const = default;
  };

  const Program &program;
  Placement placed;

  void find_live() {
    placed.live.assign(program.nodes.size(), 0);
    for (const Output &output : program.outputs)
      placed.live[size_t(output.node)] = 1;
    for (size_t id = program.nodes.size(); id-- > 0;)
      if (placed.live[id])
        for (NodeId operand : operands(program.nodes[id]))
          placed.live[size_t(operand)] = 1;
  }

  bool reduces(size_t id) const { return placed.live[id] && removes_axes(program.nodes[id].op); }

  void place_reductions() {
    // The latest nests on which each node depends; several when they stand at one level.
    std::vector<std::vector<Key>> latest(program.nodes.size());
    std::vector<Key> key_of(program.nodes.size(), {0, 0}), all;
    for (size_t id = 0; id < program.nodes.size(); ++id) {
      if (!placed.live[id])
        continue;
      std::vector<Key> keys;
      for (NodeId operand : operands(program.nodes[id]))
        for (const Key &key : latest[size_t(operand)]) {
          if (!keys.empty() && key.level > keys.front().level)
            keys.clear();
          if ((keys.empty() || key.level == keys.front().level) && std::ranges::find(keys, key) == keys.end())
            keys.push_back(key);
        }
      if (reduces(id)) {
        const AxisSet over = program.nodes[id].over;
        int level = 0;
        if (!keys.empty())
          level = keys.front().level + (keys.size() > 1 || keys.front().over != over);
        keys = {{level, over}};
        key_of[id] = keys.front();
        all.push_back(keys.front());
      }
      latest[id] = std::move(keys);
    }
    std::ranges::sort(all);
    all.erase(std::ranges::unique(all).begin(), all.end());
    for (const auto &[level, over] : all)
      placed.nests.push_back({level, over});
    placed.nests.push_back({std::numeric_limits<int>::max(), 0, 0, /*used=*/false}); // the pointwise nest
    placed.nest_of.assign(program.nodes.size(), 0);
    for (size_t id = 0; id < program.nodes.size(); ++id)
      if (reduces(id)) {
        placed.nest_of[id] = int(std::ranges::find(all, key_of[id]) - all.begin());
        placed.nests[size_t(placed.nest_of[id])].axes |= program.nodes[id].axes;
      }
  }

  /// Nodes that a node depends on, itself among them, directly or through other nodes.
  template <class Wanted> std::vector<NodeId> all_below(NodeId root, Wanted wanted) const {
    std::vector<NodeId> found, stack{root};
    std::vector<char> seen(program.nodes.size(), 0);
    while (!stack.empty()) {
      const NodeId id = stack.back();
      stack.pop_back();
      if (std::exchange(seen[size_t(id)], 1))
        continue;
      if (wanted(program.node(id).op))
        found.push_back(id);
      for (NodeId operand : operands(program.node(id)))
        stack.push_back(operand);
    }
    return found;
  }

  // An output is written by the nest of its last reduction where that nest iterates over just the output's axes, else by the pointwise
  // nest.
  void place_outputs() {
    PlacedNest &pointwise = placed.nests.back();
    const int last = int(placed.nests.size()) - 1;
    for (const Output &output : program.outputs) {
      const AxisSet axes = program.axes_of(program.tensors[size_t(output.tensor)]);
      int number = -1;
      for (NodeId reduction : all_below(output.node, removes_axes))
        number = std::max(number, placed.nest_of[size_t(reduction)]);
      if (number < 0) // no reduction at all: any nest that iterates over just these axes will do
        number = int(std::ranges::find_if(
                         placed.nests,
                         [&](const PlacedNest &nest) { return nest.over != 0 && (nest.axes == axes || (nest.axes | nest.over) == axes); }) -
                     placed.nests.begin());
      const auto covers = [&](const PlacedNest &nest) { return (axes & ~(nest.axes | nest.over)) == 0; };
      const bool fits = number <= last && covers(placed.nests[size_t(number)]);
      placed.output_nest.push_back(fits && !read_later(axes, number) ? number : last);
    }
    for (size_t i = 0; i < program.outputs.size(); ++i)
      if (placed.output_nest[i] == last) {
        pointwise.used = true;
        pointwise.axes |= program.axes_of(program.tensors[size_t(program.outputs[i].tensor)]);
      }
  }

  // Whether a nest after `nest` reads a tensor over `axes`: an output may be the same memory, so it must not be written before.
  bool read_later(AxisSet axes, int nest) const {
    const auto is_tensor = [](Op op) { return op == Op::tensor; };
    for (size_t id = 0; id < program.nodes.size(); ++id)
      if (reduces(id) && placed.nest_of[id] > nest)
        for (NodeId leaf : all_below(NodeId(id), is_tensor))
          if (program.axes_of(program.tensors[size_t(program.node(leaf).symbol)]) == axes)
            return true;
    return false;
  }
};

} // namespace

bool removes_axes(Op op) { return is_reduction(op) || op == Op::first; }

std::span<const NodeId> operands(const Node &node) { return {node.operands.data(), size_t(info(node.op).operands)}; }

Placement place(const Program &program) { return Placer(program).run(); }

} // namespace normforge
