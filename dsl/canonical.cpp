// The canonical form of a norm, so that equal norms have equal text and text gives the norm back node for node.
//
// A body's lines are: each named node, each output whose value has another name, each requirement. A line stands as early as what it reads
// allows: after the last named node among it. Nodes are numbered as these lines make them, operands first.
#include <algorithm>
#include <tuple>

#include "dsl/checker.h"

namespace normforge {
namespace {

bool shared_leaf(const Node &node) { return info(node.op).kind == OpInfo::leaf && node.op != Op::count; }

/// An output's value takes the output's name, whatever it was called.
void name_after_outputs(Norm &norm) {
  const Program &program = norm.program;
  std::vector<bool> settled(program.nodes.size());
  for (const Output &output : program.outputs)
    if (program.tensors[size_t(output.tensor)].role == Tensor::output && !shared_leaf(program.node(output.node)) &&
        !settled[size_t(output.node)]) {
      norm.node_names[size_t(output.node)] = program.tensors[size_t(output.tensor)].name;
      settled[size_t(output.node)] = true;
    }
}

struct Renumbering {
  const Program &from;
  Program &to;
  const std::vector<std::string> &names;
  std::vector<std::string> new_names;
  std::vector<NodeId> map;

  NodeId visit(NodeId id) {
    NodeId &mapped = map[size_t(id)];
    if (mapped >= 0)
      return mapped;
    Node node = from.node(id);
    for (NodeId &operand : node.operands)
      if (operand >= 0)
        operand = visit(operand);
    to.nodes.push_back(node);
    new_names.push_back(names[size_t(id)]);
    return mapped = NodeId(to.nodes.size() - 1);
  }
};

} // namespace

std::vector<BodyLine> body_lines(const Norm &norm) {
  const Program &program = norm.program;
  const auto named = [&](NodeId id) { return norm.node_names[size_t(id)].empty() ? NodeId(-1) : id; };
  std::vector<std::tuple<NodeId, int, int>> lines; // after which node, kind, index
  for (size_t i = 0; i < program.nodes.size(); ++i)
    if (named(NodeId(i)) >= 0)
      lines.emplace_back(NodeId(i), BodyLine::value, int(i));
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    const auto &[tensor, node] = program.outputs[i];
    if (norm.node_names[size_t(node)] != program.tensors[size_t(tensor)].name)
      lines.emplace_back(shared_leaf(program.node(node)) ? NodeId(-1) : node, BodyLine::output, int(i));
  }
  for (size_t i = 0; i < program.requirements.size(); ++i)
    lines.emplace_back(std::max(named(program.requirements[i].lhs), named(program.requirements[i].rhs)), BodyLine::requirement, int(i));
  std::ranges::sort(lines);
  std::vector<BodyLine> out;
  for (const auto &[after, kind, index] : lines)
    out.push_back({BodyLine::Kind(kind), index});
  return out;
}

void canonicalize(Norm &norm) {
  std::ranges::sort(norm.program.outputs, {}, &Output::tensor);
  name_after_outputs(norm);
  const std::vector<BodyLine> lines = body_lines(norm);
  const Program from = norm.program;
  Program &to = norm.program;
  to.nodes.clear();
  to.requirements.clear();
  Renumbering renumbering{from, to, norm.node_names, {}, std::vector<NodeId>(from.nodes.size(), -1)};
  for (const auto &[kind, index] : lines) {
    if (kind == BodyLine::value) {
      renumbering.visit(index);
    } else if (kind == BodyLine::output) {
      renumbering.visit(from.outputs[size_t(index)].node);
    } else {
      Requirement requirement = from.requirements[size_t(index)];
      requirement.lhs = renumbering.visit(requirement.lhs);
      requirement.rhs = renumbering.visit(requirement.rhs);
      to.requirements.push_back(requirement);
    }
  }
  for (Output &output : to.outputs)
    output.node = renumbering.map[size_t(output.node)];
  norm.node_names = std::move(renumbering.new_names);
}

} // namespace normforge
