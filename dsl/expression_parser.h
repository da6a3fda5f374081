// The grammar's rules from `expression` down (see dsl/parser.cpp), one function a rule. Their trees go to file.expressions.
#pragma once

#include "dsl/token_reader.h"

namespace normforge {

class ExpressionParser : protected TokenReader {
protected:
  using TokenReader::TokenReader;

  ExprId comparison_or_expression();
  ExprId expression();

  FileSyntax file;
  int nesting = 0; ///< levels that recursion is deep; who catches Abandon resets it

private:
  ExprId product();
  ExprId unary();
  ExprId power();
  ExprId primary();

  ExprId make(Expr::Kind, const Token &at, std::vector<ExprId> args, double value = 0);
  template <class Rule> ExprId nested(const Rule &);
  [[noreturn]] void too_deep(const Token &at) const;
};

} // namespace normforge
