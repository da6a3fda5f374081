#include "dsl/expression_parser.h"

namespace normforge {
namespace {

constexpr double kLargestExponent = 64;
constexpr std::string_view kComparisons[] = {"<", "<=", ">", ">=", "==", "!="};

} // namespace

// --- trees, no deeper than recursion may go

ExprId ExpressionParser::make(Expr::Kind kind, const Token &at, std::vector<ExprId> args, double value) {
  Expr expr{kind, at, value, std::move(args)};
  for (ExprId arg : expr.args)
    expr.depth = std::max(expr.depth, 1 + file.expressions[size_t(arg)].depth);
  if (expr.depth > kDeepestNesting)
    too_deep(at);
  file.expressions.push_back(std::move(expr));
  return ExprId(file.expressions.size() - 1);
}

void ExpressionParser::too_deep(const Token &at) const {
  fail_at(at, "this expression is nested deeper than " + std::to_string(kDeepestNesting) + " levels: give a name to a part of it");
}

template <class Rule> ExprId ExpressionParser::nested(const Rule &rule) {
  if (++nesting > kDeepestNesting)
    too_deep(token);
  const ExprId expr = rule();
  --nesting;
  return expr;
}

// --- rules

ExprId ExpressionParser::comparison_or_expression() {
  const ExprId lhs = expression();
  for (std::string_view comparison : kComparisons)
    if (token.is(comparison)) {
      const Token at = token;
      advance();
      return make(Expr::compare, at, {lhs, expression()});
    }
  return lhs;
}

ExprId ExpressionParser::expression() {
  ExprId lhs = product();
  while (token.is("+") || token.is("-")) {
    const Token at = token;
    advance();
    lhs = make(Expr::binary, at, {lhs, product()});
  }
  return lhs;
}

ExprId ExpressionParser::product() {
  ExprId lhs = unary();
  while (token.is("*") || token.is("/")) {
    const Token at = token;
    advance();
    lhs = make(Expr::binary, at, {lhs, unary()});
  }
  return lhs;
}

ExprId ExpressionParser::unary() {
  const Token at = token;
  if (accept("-"))
    return make(Expr::negate, at, {nested([&] { return unary(); })});
  return power();
}

ExprId ExpressionParser::power() {
  const ExprId base = primary();
  const Token at = token;
  if (!accept("^"))
    return base;
  const bool negative = accept("-");
  const Token digits = token;
  if (digits.kind != Token::number || digits.text.find_first_not_of("0123456789") != digits.text.npos)
    fail("an integer exponent");
  const double exponent = number();
  if (exponent > kLargestExponent)
    fail_at(digits, "the exponent is " + quoted(digits.text) + "; at most 64 is possible");
  if (token.is("^"))
    fail_at(token, "a power of a power needs parentheses");
  return make(Expr::power, at, {base}, negative ? -exponent : exponent);
}

ExprId ExpressionParser::primary() {
  const Token at = token;
  if (token.kind == Token::number || token.is("inf"))
    return make(Expr::number, at, {}, number());
  if (accept("(")) {
    const ExprId inner = nested([&] { return comparison_or_expression(); });
    expect(")");
    return inner;
  }
  name("a value");
  if (!accept("("))
    return make(Expr::name, at, {});
  std::vector<ExprId> args;
  if (!token.is(")"))
    list([&] { args.push_back(nested([&] { return comparison_or_expression(); })); });
  expect(")");
  return make(Expr::call, at, std::move(args));
}

} // namespace normforge
