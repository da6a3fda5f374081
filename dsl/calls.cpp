// Calls, one function per kind. Whether `max(a, b)` reduces is decided by what b is: the name of an axis, or a value.
#include <algorithm>
#include <utility>

#include "dsl/expressions.h"
#include "dsl/words.h"

namespace normforge {
namespace {

constexpr Op kUnary[] = {Op::abs,  Op::sqrt, Op::rsqrt, Op::exp,     Op::exp2, Op::log,  Op::log2,
                         Op::tanh, Op::erf,  Op::floor, Op::sigmoid, Op::ceil, Op::round};
constexpr Op kReductions[] = {Op::sum, Op::avg, Op::max, Op::min};
constexpr std::string_view kOtherFunctions[] = {"count", "select", "clamp", "stored"};
constexpr DType kCasts[] = {DType::f32, DType::bf16, DType::f16, DType::i8, DType::f8e4m3};

std::vector<std::string> function_names() {
  std::vector<std::string> names(std::begin(kOtherFunctions), std::end(kOtherFunctions));
  for (Op op : kUnary)
    names.emplace_back(info(op).name);
  for (Op op : kReductions)
    names.emplace_back(info(op).name);
  for (DType dtype : kCasts)
    names.emplace_back(name(dtype));
  return names;
}

template <class Row, class Value> bool has(const Row &table, Value value) { return std::ranges::find(table, value) != std::end(table); }

std::string arguments(size_t count) { return std::to_string(count) + (count == 1 ? " argument" : " arguments"); }

} // namespace

bool ExpressionChecker::takes(const Expr &call, size_t count, const std::string &what) {
  if (call.args.size() == count)
    return true;
  builder.error(call.token, quoted(call.token.text) + " takes " + what + ", found " + arguments(call.args.size()));
  return false;
}

NodeId ExpressionChecker::call(const Expr &expr) {
  const Token &at = expr.token;
  const std::string_view function = at.text;
  const std::optional<Op> op = op_named(function);
  if (op == Op::max || op == Op::min)
    return extremum(*op, expr);
  if (op && has(kReductions, *op))
    return reduction(*op, expr);
  if (op && has(kUnary, *op))
    return takes(expr, 1, "one value") ? builder.apply(*op, at, {check(expr.args[0])}) : kBad;
  if (op == Op::count)
    return count(expr);
  if (op == Op::select)
    return select(expr);
  if (op == Op::stored)
    return stored(expr);
  if (function == "clamp") {
    if (!takes(expr, 3, "a value, its least and its most"))
      return kBad;
    const NodeId value = check(expr.args[0]), least = check(expr.args[1]), most = check(expr.args[2]);
    return builder.apply(Op::minimum, at, {builder.apply(Op::maximum, at, {value, least}), most});
  }
  if (const auto dtype = dtype_named(function); dtype && has(kCasts, *dtype))
    return cast(*dtype, expr);
  for (size_t i = 0; i < defs_known; ++i)
    if (file.defs[i].name.text == function)
      return inline_definition(i, expr);
  return unknown_function(expr);
}

NodeId ExpressionChecker::unknown_function(const Expr &expr) {
  for (ExprId arg : expr.args)
    if (!axis(arg))
      check(arg);
  std::vector<std::string> known = function_names();
  for (size_t i = 0; i < std::min<size_t>(defs_known, 100); ++i)
    known.emplace_back(file.defs[i].name.text.substr(0, 64));
  for (const DefSyntax &def : file.defs)
    if (def.name.text == expr.token.text)
      return builder.error(expr.token, "the definition " + quoted(def.name.text) + " is used before it stands: definitions do not recur");
  return builder.error(expr.token, "unknown function " + quoted(expr.token.text) + did_you_mean(expr.token.text, known));
}

NodeId ExpressionChecker::cast(DType dtype, const Expr &expr) {
  Node node;
  node.op = Op::cast;
  node.dtype = dtype;
  if (!takes(expr, 1, "one value") || (node.operands[0] = check(expr.args[0])) == kBad)
    return kBad;
  return builder.add(node, expr.token);
}

NodeId ExpressionChecker::stored(const Expr &expr) {
  if (!takes(expr, 1, "one value, an output's"))
    return kBad;
  const NodeId node = builder.apply(Op::stored, expr.token, {check(expr.args[0])});
  if (node != kBad)
    stored_nodes.emplace_back(node, expr.args[0]);
  return node;
}

NodeId ExpressionChecker::extremum(Op op, const Expr &expr) {
  if (expr.args.size() != 2 || axis(expr.args[1]))
    return reduction(op, expr);
  const NodeId lhs = check(expr.args[0]), rhs = check(expr.args[1]);
  return builder.apply(op == Op::max ? Op::maximum : Op::minimum, expr.token, {lhs, rhs});
}

/// A reduction may not keep a ragged axis whose lengths it reduces over: how many elements there are would differ along it.
bool ExpressionChecker::bounds_go_too(AxisSet kept, AxisSet over, const Token &at) {
  for (int axis = 0; axis < int(norm.program.axes.size()); ++axis)
    if (kept & axis_bit(axis))
      if (const AxisSet gone = builder.bounds(axis_bit(axis)) & over) {
        builder.error(at, quoted(at.text) + " reduces over '" + builder.names(gone) + "' and keeps '" + builder.names(axis_bit(axis)) +
                              "', whose length varies over it: reduce over both");
        return false;
      }
  return true;
}

NodeId ExpressionChecker::reduction(Op op, const Expr &expr) {
  const Token &at = expr.token;
  if (expr.args.size() < 2)
    return builder.error(at, quoted(at.text) + " takes a value and the axes that it reduces over, found " + arguments(expr.args.size()));
  Node node;
  node.op = op;
  node.operands[0] = check(expr.args[0]);
  const std::optional<AxisSet> over = axis_arguments(expr, 1);
  if (!over || node.operands[0] == kBad)
    return kBad;
  node.over = *over;
  const AxisSet has = builder.node(node.operands[0]).axes;
  for (size_t i = 1; i < expr.args.size(); ++i)
    if (const Symbol *symbol = axis(expr.args[i]); axis_set(*symbol) & ~has)
      return builder.error(this->expr(expr.args[i]).token, quoted(at.text) + " over '" + builder.names(axis_set(*symbol) & ~has) +
                                                               "' of a value that does not vary over it (its axes: " + builder.names(has) +
                                                               ")");
  return bounds_go_too(has & ~*over, *over, at) ? builder.add(node, at) : kBad;
}

NodeId ExpressionChecker::count(const Expr &expr) {
  if (expr.args.empty())
    return builder.error(expr.token, "'count' takes the axes that it counts over, found none");
  const std::optional<AxisSet> over = axis_arguments(expr, 0);
  if (!over)
    return kBad;
  Node node;
  node.op = Op::count;
  node.over = *over;
  node.axes = builder.bounds(*over) & ~*over;
  return builder.add(node, expr.token);
}

NodeId ExpressionChecker::select(const Expr &expr) {
  if (!takes(expr, 3, "a comparison and two values"))
    return kBad;
  const Expr &condition = this->expr(expr.args[0]);
  NodeId truth = kBad;
  if (condition.kind == Expr::compare) {
    const auto [lhs, rhs] = compared(condition);
    truth = builder.apply(comparison(condition.token.text).op, condition.token, {lhs, rhs});
  } else {
    builder.error(condition.token, "expected a comparison as the first argument of 'select', found a value");
  }
  NodeId then = check(expr.args[1]), otherwise = check(expr.args[2]);
  if (condition.kind == Expr::compare && comparison(condition.token.text).negated)
    std::swap(then, otherwise);
  return builder.apply(Op::select, expr.token, {truth, then, otherwise});
}

NodeId ExpressionChecker::inline_definition(size_t index, const Expr &expr) {
  const DefSyntax &def = file.defs[index];
  if (!takes(expr, def.parameters.size(), def.parameters.size() == 1 ? "one value" : std::to_string(def.parameters.size()) + " values"))
    return kBad;
  std::map<std::string_view, NodeId> arguments;
  bool good = true;
  for (size_t i = 0; i < expr.args.size(); ++i) {
    const NodeId node = check(expr.args[i]);
    good &= node != kBad;
    arguments[def.parameters[i].text] = node;
    argument_names.try_emplace(node, def.parameters[i].text);
  }
  return good ? check_definition(index, std::move(arguments)) : kBad;
}

NodeId ExpressionChecker::check_definition(size_t index, std::map<std::string_view, NodeId> arguments) {
  std::map<std::string_view, NodeId> *outer = std::exchange(parameters, &arguments);
  const size_t outer_known = std::exchange(defs_known, index);
  const NodeId node = check(file.defs[index].body);
  parameters = outer;
  defs_known = outer_known;
  return node;
}

} // namespace normforge
