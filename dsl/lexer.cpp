// Names are ASCII letters, digits and `_`; numbers are decimal with an optional fraction and exponent; `#` opens a comment, `///` a doc
// line. Bytes that begin no token, NUL and invalid UTF-8 among them, become one `unknown` token per run, which the parser reports.
#include "dsl/lexer.h"

#include <algorithm>

namespace normforge {
namespace {

constexpr std::string_view kKeywords[] = {"norm", "def", "inout", "next", "require", "in", "inf"};
// Longest first: `->` before `-`.
constexpr std::string_view kSymbols[] = {"...", "->", "<=", ">=", "==", "!=", "(", ")", "[", "]", "{", "}",
                                         ",",   ";",  ":",  "=",  "+",  "-",  "*", "/", "^", "<", ">"};

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

size_t number_length(std::string_view s) {
  const auto digits = [&](size_t i) {
    while (i < s.size() && digit(s[i]))
      ++i;
    return i;
  };
  size_t i = digits(0);
  if (i + 1 < s.size() && s[i] == '.' && digit(s[i + 1]))
    i = digits(i + 1);
  if (i < s.size() && (s[i] == 'e' || s[i] == 'E')) {
    const size_t sign = i + 1 < s.size() && (s[i + 1] == '-' || s[i + 1] == '+');
    if (const size_t end = digits(i + 1 + sign); end > i + 1 + sign)
      i = end;
  }
  return i;
}

std::string_view symbol_at(std::string_view s) {
  for (std::string_view symbol : kSymbols)
    if (s.starts_with(symbol))
      return symbol;
  return {};
}

} // namespace

bool is_keyword(std::string_view word) { return std::ranges::find(kKeywords, word) != std::end(kKeywords); }

Token Lexer::next() {
  bool first_on_line = at == 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '\n')
      first_on_line = true;
    if (text[at] == '#')
      at = std::min(text.find('\n', at), text.size()) - 1;
    else if (!blank(text[at]))
      break;
  }
  Token token;
  token.offset = at;
  token.first_on_line = first_on_line;
  if (at >= text.size())
    return token;
  std::string_view rest = text.substr(at);
  size_t length = 1;
  if (rest.starts_with("///")) {
    length = std::min(rest.find('\n'), rest.size());
    std::string_view doc = rest.substr(3, length - 3);
    doc = doc.substr(0, doc.find_last_not_of(" \t\r") + 1);
    token.kind = Token::doc;
    token.text = doc.starts_with(' ') ? doc.substr(1) : doc;
    at += length;
    return token;
  }
  if (letter(rest[0])) {
    token.kind = Token::name;
    while (length < rest.size() && (letter(rest[length]) || digit(rest[length])))
      ++length;
  } else if (digit(rest[0])) {
    token.kind = Token::number;
    length = number_length(rest);
  } else if (std::string_view symbol = symbol_at(rest); !symbol.empty()) {
    token.kind = Token::symbol;
    length = symbol.size();
  } else {
    token.kind = Token::unknown;
    while (length < rest.size() && rest[length] != '#' && !blank(rest[length]) && !letter(rest[length]) && !digit(rest[length]) &&
           symbol_at(rest.substr(length)).empty())
      ++length;
  }
  token.text = rest.substr(0, length);
  at += length;
  return token;
}

} // namespace normforge
