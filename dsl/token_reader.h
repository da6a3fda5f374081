// What every rule of the grammar stands on: the token at hand and the one ahead, taken when they are what a rule expects; an error names
// both what was expected and what was found.
//
// An error is recorded and thrown as Abandon, to be caught where parsing can go on; when errors abound, as GiveUp, which ends it.
#pragma once

#include "dsl/syntax.h"

namespace normforge {

struct Abandon {};
struct GiveUp {};

class TokenReader {
public:
  TokenReader(std::string_view text, Diagnostics &diagnostics);

protected:
  void advance();

  /// The doc lines from here on, joined.
  std::string docs();

  [[noreturn]] void fail(const std::string &expected) const;
  [[noreturn]] void fail_at(const Token &at, std::string message) const;

  /// Takes the symbol if it stands here.
  bool accept(std::string_view symbol);
  /// Takes the symbol, which has to stand here.
  Token expect(std::string_view symbol);
  /// Takes a name that is no keyword; `what` it would name is for the error.
  Token name(const char *what);
  double number();
  double literal() { return accept("-") ? -number() : number(); }

  /// item { "," item }
  template <class Item> void list(const Item &item) {
    do
      item();
    while (accept(","));
  }

  Token token, ahead;
  bool inside = false; ///< a norm: doc lines are comments there

private:
  Lexer lexer;
  Diagnostics &diagnostics;
};

} // namespace normforge
