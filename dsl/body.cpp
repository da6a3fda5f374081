// Bodies: statements in order, each name assigned once; then the checks that need the whole body: every output assigned, every parameter
// and value used, each `stored` of an output's value.
//
// Definitions are checked by themselves first, on scalars, so that each of their errors is told once and also where nobody calls them.
#include <algorithm>
#include <set>

#include "dsl/expressions.h"

namespace normforge {
namespace {

constexpr size_t kMostDefinitions = 256;

bool builtin(std::string_view name) {
  const std::optional<Op> op = op_named(name);
  return name == "clamp" || dtype_named(name) || (op && info(*op).kind != OpInfo::pivot);
}

/// Whether `name` occurs in an expression.
bool mentions(const FileSyntax &file, ExprId root, std::string_view name) {
  std::vector<ExprId> rest{root};
  while (!rest.empty()) {
    const ExprId id = rest.back();
    rest.pop_back();
    if (id == kBadExpr)
      return true;
    const Expr &expr = file.expressions[size_t(id)];
    if (expr.kind == Expr::name && expr.token.text == name)
      return true;
    rest.insert(rest.end(), expr.args.begin(), expr.args.end());
  }
  return false;
}

struct BodyChecker {
  const NormSyntax &syntax;
  const FileSyntax &file;
  Norm &norm;
  Scope &scope;
  Diagnostics &diagnostics;
  Program &program = norm.program;
  NodeBuilder builder{norm, diagnostics};
  ExpressionChecker expressions{file, norm, scope, builder};

  void error(Span at, std::string message) { diagnostics.error(at, std::move(message)); }

  // --- statements

  void assign(const StatementSyntax &statement, NodeId node) {
    const Token &at = statement.name;
    const std::string name(at.text.substr(0, 64));
    if (at.text.size() > 64)
      error(at.span(), "a name of " + std::to_string(at.text.size()) + " characters; at most 64 are possible");
    const auto [found, fresh] = scope.try_emplace(std::string(at.text), Symbol{Symbol::value, -1, at.span(), node});
    Symbol &symbol = found->second;
    if (fresh) {
      if (node != kBad)
        builder.name(node, name);
      return;
    }
    if (symbol.kind == Symbol::value)
      return error(at.span(), quoted(name) + " is assigned twice");
    if (symbol.kind != Symbol::tensor)
      return error(at.span(), quoted(name) + (symbol.kind == Symbol::scalar ? " is a scalar" : " is an axis") + " and cannot be assigned");
    const Tensor &tensor = program.tensors[size_t(symbol.index)];
    if (tensor.role == Tensor::inout)
      return error(at.span(), quoted(name) + " is its old value: write 'next " + name + " = …'");
    if (tensor.role != Tensor::output)
      return error(at.span(), quoted(name) + " is an input and cannot be assigned");
    output(symbol, at, node);
    if (node != kBad)
      builder.name(node, name);
  }

  void next(const StatementSyntax &statement, NodeId node) {
    const auto found = scope.find(statement.name.text);
    if (found == scope.end() || found->second.kind != Symbol::tensor || program.tensors[size_t(found->second.index)].role != Tensor::inout)
      return error(statement.name.span(), "'next' assigns an inout tensor, and " + quoted(statement.name.text) + " is none");
    output(found->second, statement.name, node);
  }

  void output(Symbol &symbol, const Token &at, NodeId node) {
    if (symbol.assigned)
      return error(at.span(), quoted(at.text) + " is assigned twice");
    symbol.assigned = true;
    symbol.node = node;
    if (node == kBad)
      return;
    const AxisSet extra = program.node(node).axes & ~program.axes_of(program.tensors[size_t(symbol.index)]);
    if (extra)
      error(at.span(), quoted(at.text) + " lacks the axis '" + builder.names(extra) + "' over which its value varies");
    program.outputs.push_back({symbol.index, node});
  }

  void require(const StatementSyntax &statement) {
    if (statement.value == kBadExpr)
      return;
    const Expr &expr = file.expressions[size_t(statement.value)];
    if (expr.kind != Expr::compare)
      return error(expr.token.span(), "expected a comparison after 'require', found a value");
    const Comparison &row = comparison(expr.token.text);
    if (row.negated)
      return error(expr.token.span(), "'require' takes <, <=, >, >= or ==");
    const auto [lhs, rhs] = expressions.compared(expr);
    for (NodeId side : {lhs, rhs}) {
      if (side == kBad)
        return;
      const Node &node = program.node(side);
      if (info(node.op).kind != OpInfo::leaf || node.op == Op::tensor || (node.op == Op::count && builder.bounds(node.over)))
        return error(expr.token.span(), "'require' compares counts of axes that are not ragged, scalars and numbers");
    }
    program.requirements.push_back({row.op, lhs, rhs});
  }

  void statements() {
    for (const StatementSyntax &statement : syntax.body)
      if (statement.kind == StatementSyntax::assign)
        expressions.assigned_later.insert(statement.name.text);
    for (const StatementSyntax &statement : syntax.body) {
      if (statement.kind == StatementSyntax::require) {
        require(statement);
        continue;
      }
      const NodeId node = expressions.check(statement.value);
      statement.kind == StatementSyntax::next ? next(statement, node) : assign(statement, node);
    }
  }

  // --- the whole body

  /// `stored(v)` rounds as the output does whose value v is: the one that v names, else the only one with that value.
  void resolve_stored() {
    for (const auto &[node, argument] : expressions.stored_nodes) {
      const Expr &expr = file.expressions[size_t(argument)];
      const NodeId value = program.node(node).operands[0];
      std::vector<int> tensors;
      for (const Output &output : program.outputs)
        if (output.node == value && program.tensors[size_t(output.tensor)].role == Tensor::output) {
          if (expr.kind == Expr::name && program.tensors[size_t(output.tensor)].name == expr.token.text)
            tensors.assign(1, output.tensor);
          else if (tensors.size() != 1 || program.tensors[size_t(tensors[0])].name != expr.token.text)
            tensors.push_back(output.tensor);
        }
      if (tensors.empty())
        error(expr.token.span(), "'stored' takes the value of an output: assign it to one, and write stored(OUTPUT)");
      else if (tensors.size() > 1)
        error(expr.token.span(), "'stored' of a value that several outputs have: write which, stored(" +
                                     program.tensors[size_t(tensors[0])].name + ") or stored(" + program.tensors[size_t(tensors[1])].name +
                                     ")");
      else
        program.nodes[size_t(node)].symbol = tensors[0];
    }
  }

  void check_assigned() {
    for (const auto &[name, symbol] : scope)
      if (symbol.kind == Symbol::tensor && !symbol.assigned) {
        const Tensor::Role role = program.tensors[size_t(symbol.index)].role;
        if (role == Tensor::output)
          error(symbol.at, "the output '" + name + "' is never assigned");
        else if (role == Tensor::inout)
          error(symbol.at, "the inout tensor '" + name + "' is never assigned: write 'next " + name + " = …', or drop 'inout'");
      }
  }

  void check_used() {
    for (const auto &[name, symbol] : scope) {
      if (symbol.used || symbol.assigned)
        continue;
      if (symbol.kind == Symbol::value)
        error(symbol.at, "'" + name + "' is assigned and never used");
      else if (symbol.kind == Symbol::tensor && program.tensors[size_t(symbol.index)].role == Tensor::input)
        error(symbol.at, "the input '" + name + "' is never used");
      else if (symbol.kind == Symbol::scalar)
        error(symbol.at, "the scalar '" + name + "' is never used");
    }
  }

  /// Names what definitions made and more than one operation uses: after the parameter that it was the argument of.
  void name_shared() {
    std::vector<int> uses(program.nodes.size());
    for (const Node &node : program.nodes)
      for (NodeId operand : node.operands)
        if (operand >= 0)
          ++uses[size_t(operand)];
    for (size_t i = 0; i < uses.size(); ++i) {
      if (uses[i] < 2 || !norm.node_names[i].empty() || !expressions.argument_names.contains(NodeId(i)))
        continue;
      const std::string base = expressions.argument_names.at(NodeId(i)).substr(0, 60);
      std::string name = base;
      for (int suffix = 2; scope.contains(name); ++suffix)
        name = base + "_" + std::to_string(suffix);
      scope.emplace(name, Symbol{Symbol::value, -1, {}, NodeId(i), false, true});
      builder.name(NodeId(i), name);
    }
  }
};

} // namespace

void check_definitions(FileSyntax &file, Diagnostics &diagnostics) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < file.defs.size(); ++i) {
    DefSyntax &def = file.defs[i];
    if (i == kMostDefinitions) {
      diagnostics.error(def.name.span(), "more than " + std::to_string(kMostDefinitions) + " definitions");
      file.defs.resize(i);
      return;
    }
    if (!names.insert(def.name.text).second)
      diagnostics.error(def.name.span(), "the definition " + quoted(def.name.text) + " stands twice");
    const size_t before = diagnostics.count();
    Norm norm;
    Scope scope;
    NodeBuilder builder(norm, diagnostics);
    std::map<std::string_view, NodeId> arguments;
    for (const Token &parameter : def.parameters) {
      if (parameter.text.size() > 64)
        diagnostics.error(parameter.span(), "a name of " + std::to_string(parameter.text.size()) + " characters; at most 64 are possible");
      Node node;
      node.op = Op::scalar;
      node.symbol = int(arguments.size());
      if (!arguments.try_emplace(parameter.text, builder.add(node, parameter)).second)
        diagnostics.error(parameter.span(), "the parameter " + quoted(parameter.text) + " is named twice");
    }
    if (builtin(def.name.text))
      diagnostics.error(def.name.span(), quoted(def.name.text) + " is a function of the language");
    try {
      ExpressionChecker(file, norm, scope, builder).check_definition(i, arguments);
    } catch (TooLarge) {
    }
    for (const Token &parameter : def.parameters)
      if (diagnostics.count() == before && !mentions(file, def.body, parameter.text))
        diagnostics.error(parameter.span(), "the parameter " + quoted(parameter.text) + " is never used");
    if (diagnostics.count() != before)
      def.body = kBadExpr;
  }
}

void check_body(const NormSyntax &syntax, const FileSyntax &file, Norm &norm, Scope &scope, Diagnostics &diagnostics) {
  const size_t before = diagnostics.count();
  if (syntax.body.size() > kMostNodes)
    return diagnostics.error(syntax.body[kMostNodes].name.span(), "more than " + std::to_string(kMostNodes) + " statements");
  BodyChecker checker{syntax, file, norm, scope, diagnostics};
  try {
    checker.statements();
  } catch (TooLarge) {
    return;
  }
  if (!syntax.whole)
    return;
  checker.resolve_stored();
  checker.check_assigned();
  if (diagnostics.count() != before)
    return;
  checker.check_used();
  checker.name_shared();
}

} // namespace normforge
