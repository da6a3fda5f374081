#include "dsl/node_builder.h"

#include <algorithm>
#include <cmath>

namespace normforge {

NodeId NodeBuilder::error(const Token &at, std::string message) {
  diagnostics.error(at.span(), std::move(message));
  if (diagnostics.full())
    throw TooLarge{};
  return kBad;
}

AxisSet NodeBuilder::bounds(AxisSet axes) const {
  const Program &program = norm.program;
  AxisSet set = 0;
  for (size_t axis = 0; axis < program.axes.size(); ++axis)
    if ((axes & axis_bit(int(axis))) && program.axes[axis].length >= 0)
      set |= program.axes_of(program.tensors[size_t(program.axes[axis].length)]);
  return set;
}

std::string NodeBuilder::names(AxisSet axes) const {
  std::string out;
  for (size_t axis = 0; axis < norm.program.axes.size(); ++axis)
    if (axes & axis_bit(int(axis)))
      out += (out.empty() ? "" : ", ") + norm.program.axes[axis].name;
  return out.empty() ? "none" : out;
}

NodeId NodeBuilder::add(Node node, const Token &at) {
  std::vector<Node> &nodes = norm.program.nodes;
  const OpInfo &row = info(node.op);
  if (row.kind == OpInfo::leaf && node.op != Op::count)
    for (size_t i = 0; i < nodes.size(); ++i)
      if (nodes[i] == node && std::signbit(nodes[i].value) == std::signbit(node.value))
        return NodeId(i);
  int depth = 1;
  for (int i = 0; i < row.operands; ++i) {
    const NodeId operand = node.operands[size_t(i)];
    node.axes |= nodes[size_t(operand)].axes;
    depth = std::max(depth, 1 + depths[size_t(operand)]);
  }
  if (row.kind == OpInfo::reduction)
    node.axes = (node.axes | bounds(node.over)) & ~node.over;
  if (row.kind != OpInfo::leaf && depth > kDeepestNesting)
    return error(at, "this expression is nested deeper than " + std::to_string(kDeepestNesting) + " levels: give a name to a part of it");
  if (nodes.size() == kMostNodes) {
    error(at, "the norm has more than " + std::to_string(kMostNodes) + " operations");
    throw TooLarge{};
  }
  nodes.push_back(node);
  norm.node_names.emplace_back();
  depths.push_back(depth);
  return NodeId(nodes.size() - 1);
}

NodeId NodeBuilder::apply(Op op, const Token &at, std::initializer_list<NodeId> operands) {
  if (std::ranges::find(operands, kBad) != operands.end())
    return kBad;
  Node node;
  node.op = op;
  std::ranges::copy(operands, node.operands.begin());
  return add(node, at);
}

void NodeBuilder::name(NodeId node, std::string_view name) {
  const Op op = norm.program.node(node).op;
  if ((info(op).kind == OpInfo::leaf && op != Op::count) || !norm.node_names[size_t(node)].empty())
    return;
  norm.node_names[size_t(node)] = name;
  depths[size_t(node)] = 1;
}

NodeId NodeBuilder::constant(double value, const Token &at) {
  Node node;
  node.op = Op::constant;
  node.value = value;
  return add(node, at);
}

} // namespace normforge
