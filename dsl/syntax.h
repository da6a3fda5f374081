// The syntax tree of a `.norm` file: what was written, before names mean anything. Expressions live in one pool and refer to each other by
// index, so that trees of any shape are freed without recursion.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dsl/lexer.h"
#include "dsl/program.h"

namespace normforge {

using ExprId = int32_t;              ///< index in FileSyntax::expressions
constexpr ExprId kBadExpr = -1;      ///< its error is reported
constexpr int kDeepestNesting = 200; ///< levels of an expression; more is an error, never a stack overflow

struct Expr {
  enum Kind { number, name, call, negate, binary, power, compare } kind;
  Token token;              ///< the literal, name, function or operator
  double value = 0;         ///< number: its value; power: the exponent
  std::vector<ExprId> args; ///< operands
  int depth = 1;
};

/// One entry of a tensor's axis list: `cols...`, `seq < length[batch]`, `channel = group * sub`, or a name.
struct AxisSyntax {
  Token name;
  bool pack = false;
  Token length; ///< `end` when there is none
  std::vector<Token> length_axes;
  std::vector<Token> parts;
};

struct TensorSyntax {
  Token name;
  bool inout = false;
  std::vector<AxisSyntax> axes;
  Token dtype; ///< `end` when there is none
  std::optional<double> fallback;
};

struct ScalarSyntax {
  Token name;
  Scalar scalar; ///< default and domain
};

struct StatementSyntax {
  enum Kind { assign, next, require } kind;
  Token name; ///< assign, next: what is assigned; require: the keyword
  ExprId value = kBadExpr;
};

struct DefSyntax {
  Token name;
  std::vector<Token> parameters;
  ExprId body = kBadExpr;
};

struct NormSyntax {
  std::string doc;
  Token name;
  std::vector<TensorSyntax> inputs, outputs;
  std::vector<ScalarSyntax> scalars;
  std::vector<StatementSyntax> body;
  bool readable = true; ///< the signature had no syntax error
  bool whole = true;    ///< nor had the body
};

struct FileSyntax {
  std::vector<Expr> expressions;
  std::vector<DefSyntax> defs;
  std::vector<NormSyntax> norms; ///< those whose signature could be read
};

/// Reads a file's syntax; the grammar stands at the top of dsl/parser.cpp. Errors go to `diagnostics`; what could be read comes back.
FileSyntax parse_syntax(std::string_view text, Diagnostics &diagnostics);

} // namespace normforge
