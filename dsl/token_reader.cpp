#include "dsl/token_reader.h"

#include <charconv>
#include <limits>

namespace normforge {
namespace {

std::string found(const Token &token) {
  if (token.kind == Token::end)
    return "the end of the file";
  if (token.kind == Token::unknown)
    return "bytes that begin no word, number or sign";
  if (token.kind == Token::doc)
    return "a doc line";
  return quoted(token.text);
}

} // namespace

TokenReader::TokenReader(std::string_view text, Diagnostics &diagnostics) : lexer(text), diagnostics(diagnostics) {
  advance();
  advance();
}

void TokenReader::advance() {
  do {
    token = ahead;
    ahead = lexer.next();
  } while (inside && token.kind == Token::doc);
}

std::string TokenReader::docs() {
  std::string lines;
  for (bool first = true; token.kind == Token::doc; advance(), first = false)
    lines.append(first ? "" : "\n").append(token.text);
  return lines;
}

void TokenReader::fail(const std::string &expected) const { fail_at(token, "expected " + expected + ", found " + found(token)); }

void TokenReader::fail_at(const Token &at, std::string message) const {
  diagnostics.error(at.span(), std::move(message));
  if (diagnostics.full())
    throw GiveUp{};
  throw Abandon{};
}

bool TokenReader::accept(std::string_view symbol) {
  if (!token.is(symbol))
    return false;
  advance();
  return true;
}

Token TokenReader::expect(std::string_view symbol) {
  if (!token.is(symbol))
    fail("'" + std::string(symbol) + "'");
  Token taken = token;
  advance();
  return taken;
}

Token TokenReader::name(const char *what) {
  if (token.kind != Token::name)
    fail(what);
  if (is_keyword(token.text))
    fail_at(token, "'" + std::string(token.text) + "' is a word of the language: expected " + what);
  Token taken = token;
  advance();
  return taken;
}

double TokenReader::number() {
  double value = 0;
  if (!token.is("inf")) {
    if (token.kind != Token::number)
      fail("a number");
    const auto result = std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
    if (result.ec == std::errc::result_out_of_range)
      fail_at(token, "'" + std::string(token.text.substr(0, 40)) + "' is outside the range of f64");
  } else {
    value = std::numeric_limits<double>::infinity();
  }
  advance();
  return value;
}

} // namespace normforge
