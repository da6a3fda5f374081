// Specialized programs as text that a test can compare.
#pragma once

#include <set>

#include "tests/dialect/support.h"

namespace normforge::dialect {

/// A node written out: `sum[cols](sub(x, first[cols](x)))`.
inline std::string expression(const Program &program, NodeId id) {
  const Node &node = program.node(id);
  if (node.op == Op::tensor)
    return program.tensors[size_t(node.symbol)].name;
  if (node.op == Op::scalar)
    return program.scalars[size_t(node.symbol)].name;
  std::string text(info(node.op).name);
  if (node.op == Op::constant)
    text = std::to_string(node.value);
  if (node.op == Op::cast)
    text += "<" + std::string(name(node.dtype)) + ">";
  for (int axis = 0, n = 0; axis < int(program.axes.size()); ++axis)
    if (node.over & axis_bit(axis))
      text += (n++ ? "," : "[") + program.axes[size_t(axis)].name;
  if (node.over)
    text += "]";
  for (int i = 0; i < info(node.op).operands; ++i)
    text += (i ? ", " : "(") + expression(program, node.operands[size_t(i)]);
  return info(node.op).operands ? text + ")" : text;
}

inline std::string output(const Program &program, std::string_view tensor) {
  for (const Output &output : program.outputs)
    if (program.tensors[size_t(output.tensor)].name == tensor)
      return expression(program, output.node);
  return "none";
}

inline std::multiset<std::string> reductions(const Program &program) {
  std::multiset<std::string> found;
  for (NodeId id = 0; id < NodeId(program.nodes.size()); ++id)
    if (is_reduction(program.node(id).op))
      found.insert(expression(program, id));
  return found;
}

} // namespace normforge::dialect
