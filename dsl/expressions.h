// Expressions to nodes: names are resolved, calls recognised, definitions inlined, and sugar taken apart (`clamp`, `a > b`, `a != b`).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dsl/checker.h"
#include "dsl/node_builder.h"

namespace normforge {

/// What a comparison's sign means: `op` of its two sides, which change places where `swapped`; `negated`: not that.
struct Comparison {
  std::string_view sign;
  Op op;
  bool swapped, negated;
};
const Comparison &comparison(std::string_view sign);

class ExpressionChecker {
public:
  ExpressionChecker(const FileSyntax &file, const Norm &norm, Scope &scope, NodeBuilder &builder)
      : file(file), norm(norm), scope(scope), builder(builder), defs_known(file.defs.size()) {}

  /// The node of an expression, kBad when it has an error.
  NodeId check(ExprId);

  /// Both sides of a comparison, in the order of comparison().op.
  std::pair<NodeId, NodeId> compared(const Expr &);

  /// As check() of a definition's body, whose parameters are `arguments`; it may call the definitions before `index`.
  NodeId check_definition(size_t index, std::map<std::string_view, NodeId> arguments);

  std::set<std::string_view> assigned_later;           ///< names that statements to come assign, for messages
  std::vector<std::pair<NodeId, ExprId>> stored_nodes; ///< each `stored(…)` with its argument
  std::map<NodeId, std::string> argument_names;        ///< the parameter that a definition's argument was first bound to

private:
  NodeId check_kind(const Expr &);
  NodeId read(const Token &);
  NodeId call(const Expr &);
  NodeId extremum(Op, const Expr &);
  NodeId reduction(Op, const Expr &);
  NodeId count(const Expr &);
  NodeId select(const Expr &);
  NodeId cast(DType, const Expr &);
  NodeId stored(const Expr &);
  NodeId inline_definition(size_t index, const Expr &);
  NodeId unknown_function(const Expr &);
  bool takes(const Expr &call, size_t count, const std::string &what);
  bool bounds_go_too(AxisSet kept, AxisSet over, const Token &at);
  const Symbol *axis(ExprId) const;
  AxisSet axis_set(const Symbol &) const;
  std::optional<AxisSet> axis_arguments(const Expr &call, size_t begin);
  const Expr &expr(ExprId id) const { return file.expressions[size_t(id)]; }

  const FileSyntax &file;
  const Norm &norm;
  Scope &scope;
  NodeBuilder &builder;
  std::map<std::string_view, NodeId> *parameters = nullptr; ///< inside a definition: its arguments; it knows no other name
  size_t defs_known;                                        ///< the definitions before this one may be called
  int level = 0;
  size_t steps = 0; ///< of check(), so that definitions that call definitions end
};

} // namespace normforge
