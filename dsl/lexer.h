// Tokens of the norm language, made one at a time, so that a huge file costs no more memory than its text.
#pragma once

#include <string_view>

#include "dsl/diagnostics.h"

namespace normforge {

struct Token {
  enum Kind { end, name, number, symbol, doc, unknown } kind = end;
  std::string_view text; ///< doc: what follows `///` and one space
  size_t offset = 0;
  bool first_on_line = false;

  bool is(std::string_view spelled) const { return (kind == symbol || kind == name) && text == spelled; }
  Span span() const { return {offset, text.size()}; }
};

class Lexer {
public:
  explicit Lexer(std::string_view text) : text(text) {}
  Token next();

private:
  std::string_view text;
  size_t at = 0;
};

/// Words that no tensor, scalar, axis or value may be called.
bool is_keyword(std::string_view word);

} // namespace normforge
