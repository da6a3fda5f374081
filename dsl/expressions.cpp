// What names mean, and one function per kind of expression; those of calls stand in dsl/calls.cpp.
#include "dsl/expressions.h"

#include <algorithm>

#include "dsl/words.h"

namespace normforge {
namespace {

constexpr size_t kMostSteps = 16 * kMostNodes;

struct Binary {
  std::string_view sign;
  Op op;
};
constexpr Binary kBinary[] = {{"+", Op::add}, {"-", Op::sub}, {"*", Op::mul}, {"/", Op::div}};

constexpr Comparison kComparisons[] = {{"<", Op::less, false, false},   {"<=", Op::less_equal, false, false},
                                       {">", Op::less, true, false},    {">=", Op::less_equal, true, false},
                                       {"==", Op::equal, false, false}, {"!=", Op::equal, false, true}};

bool is_axis(const Symbol &symbol) { return symbol.kind == Symbol::axis || symbol.kind == Symbol::split; }

std::vector<std::string> names_of(const Scope &scope, bool axes) {
  std::vector<std::string> names;
  for (const auto &[name, symbol] : scope)
    if (is_axis(symbol) == axes)
      names.push_back(name);
  return names;
}

} // namespace

const Comparison &comparison(std::string_view sign) { return *std::ranges::find(kComparisons, sign, &Comparison::sign); }

// --- names

NodeId ExpressionChecker::read(const Token &at) {
  if (parameters) {
    if (const auto found = parameters->find(at.text); found != parameters->end())
      return found->second;
    std::vector<std::string> known;
    for (const auto &[name, node] : *parameters)
      known.emplace_back(name);
    return builder.error(at,
                         "unknown name " + quoted(at.text) + did_you_mean(at.text, known) + " (a definition knows its parameters alone)");
  }
  const auto found = scope.find(at.text);
  if (found == scope.end()) {
    if (assigned_later.contains(at.text))
      return builder.error(at, quoted(at.text) + " is used before it is assigned");
    return builder.error(at, "unknown name " + quoted(at.text) + did_you_mean(at.text, names_of(scope, false)));
  }
  Symbol &symbol = found->second;
  symbol.used = true;
  if (symbol.kind == Symbol::value)
    return symbol.node;
  if (is_axis(symbol))
    return builder.error(at, "expected a value, found the axis " + quoted(at.text) + "; its extent is count(" + std::string(at.text) + ")");
  Node node;
  node.symbol = symbol.index;
  if (symbol.kind == Symbol::scalar) {
    node.op = Op::scalar;
    return builder.add(node, at);
  }
  const Tensor &tensor = norm.program.tensors[size_t(symbol.index)];
  if (tensor.role == Tensor::length)
    return builder.error(at, quoted(at.text) + " holds lengths and is no value; count() of the axis that it bounds is");
  if (tensor.role == Tensor::output)
    return symbol.assigned ? symbol.node : builder.error(at, "the output " + quoted(at.text) + " is used before it is assigned");
  node.op = Op::tensor;
  node.axes = norm.program.axes_of(tensor);
  return builder.add(node, at);
}

const Symbol *ExpressionChecker::axis(ExprId id) const {
  if (id == kBadExpr || expr(id).kind != Expr::name || parameters)
    return nullptr;
  const auto found = scope.find(expr(id).token.text);
  return found != scope.end() && is_axis(found->second) ? &found->second : nullptr;
}

AxisSet ExpressionChecker::axis_set(const Symbol &symbol) const {
  if (symbol.kind == Symbol::axis)
    return axis_bit(symbol.index);
  AxisSet set = 0;
  for (int part : norm.splits[size_t(symbol.index)].parts)
    set |= axis_bit(part);
  return set;
}

/// The axes that the arguments from `begin` on name.
std::optional<AxisSet> ExpressionChecker::axis_arguments(const Expr &call, size_t begin) {
  AxisSet set = 0;
  bool good = true;
  for (size_t i = begin; i < call.args.size(); ++i) {
    const Token &at = expr(call.args[i]).token;
    const Symbol *symbol = axis(call.args[i]);
    if (!symbol)
      builder.error(at, "expected an axis, found " + quoted(at.text) + did_you_mean(at.text, names_of(scope, true)));
    else if (set & axis_set(*symbol))
      builder.error(at, "the axis " + quoted(at.text) + " is named twice");
    else {
      set |= axis_set(*symbol);
      continue;
    }
    good = false;
  }
  return good ? std::optional(set) : std::nullopt;
}

// --- expressions

NodeId ExpressionChecker::check(ExprId id) {
  if (id == kBadExpr)
    return kBad;
  if (level == kDeepestNesting)
    return builder.error(expr(id).token, "definitions nest deeper than " + std::to_string(kDeepestNesting) + " levels here");
  if (++steps > kMostSteps) {
    builder.error(expr(id).token, "definitions make more than " + std::to_string(kMostNodes) + " operations here");
    throw TooLarge{};
  }
  ++level;
  const NodeId node = check_kind(expr(id));
  --level;
  return node;
}

NodeId ExpressionChecker::check_kind(const Expr &expr) {
  const Token &at = expr.token;
  switch (expr.kind) {
  case Expr::number: return builder.constant(expr.value, at);
  case Expr::name: return read(at);
  case Expr::call: return call(expr);
  case Expr::compare: return builder.error(at, "a comparison stands in select(…) or after 'require' alone");
  case Expr::negate: {
    const NodeId operand = check(expr.args[0]);
    if (operand != kBad && builder.node(operand).op == Op::constant)
      return builder.constant(-builder.node(operand).value, at);
    return builder.apply(Op::neg, at, {operand});
  }
  case Expr::power: {
    Node node;
    node.op = Op::pow;
    node.value = expr.value;
    node.operands[0] = check(expr.args[0]);
    return node.operands[0] == kBad ? kBad : builder.add(node, at);
  }
  case Expr::binary: {
    const NodeId lhs = check(expr.args[0]), rhs = check(expr.args[1]);
    return builder.apply(std::ranges::find(kBinary, at.text, &Binary::sign)->op, at, {lhs, rhs});
  }
  }
  return kBad;
}

std::pair<NodeId, NodeId> ExpressionChecker::compared(const Expr &condition) {
  const NodeId lhs = check(condition.args[0]), rhs = check(condition.args[1]);
  return comparison(condition.token.text).swapped ? std::pair(rhs, lhs) : std::pair(lhs, rhs);
}

} // namespace normforge
