// Makes a program's nodes: infers the axes of each, shares leaves, and keeps a norm within bounds.
//
// A result varies over the union of its operands' axes; a reduction takes its own away, and one over a ragged axis adds the axes of its
// lengths. Nothing but leaves is merged, so a program has the nodes that a person wrote. kBad stands for an expression whose error
// is reported: what is made of it is kBad in silence.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "dsl/norm.h"
#include "dsl/syntax.h"

namespace normforge {

constexpr NodeId kBad = -1;
constexpr size_t kMostNodes = 4096; ///< of a norm, definitions inlined

struct TooLarge {}; ///< thrown, its error reported, at more than kMostNodes or when errors abound

class NodeBuilder {
public:
  NodeBuilder(Norm &norm, Diagnostics &diagnostics) : norm(norm), diagnostics(diagnostics) {}

  /// Records an error and gives kBad.
  NodeId error(const Token &at, std::string message);

  /// `node` with its axes inferred; `at` is for errors. An operand may not be kBad.
  NodeId add(Node node, const Token &at);
  NodeId apply(Op op, const Token &at, std::initializer_list<NodeId> operands);
  NodeId constant(double value, const Token &at);

  /// A statement names `node`, unless it is a shared leaf or has a name.
  void name(NodeId node, std::string_view name);

  /// The axes over which the lengths of the ragged axes in `axes` vary.
  AxisSet bounds(AxisSet axes) const;

  /// "rows, cols", or "none".
  std::string names(AxisSet axes) const;

  const Node &node(NodeId id) const { return norm.program.node(id); }

private:
  Norm &norm;
  Diagnostics &diagnostics;
  std::vector<int> depths; ///< by node: levels of its text, a named node counting as one
};

} // namespace normforge
