// The norm language's grammar, and its parser: recursive descent, one function a rule.
//
//   file       = { { doc } ( norm | def ) }
//   def        = "def" NAME "(" NAME { "," NAME } ")" "=" expression
//   norm       = "norm" NAME "(" tensor { "," tensor } [ ";" scalar { "," scalar } ] ")" [ "->" output { "," output } ]
//                "{" { statement } "}"
//   tensor     = [ "inout" ] NAME axes [ ":" DTYPE ] [ "=" literal ]      the default makes an input optional
//   output     = NAME axes [ ":" DTYPE ]
//   axes       = "[" [ axis { "," axis } ] "]"
//   axis       = NAME                                                     one dimension
//              | NAME "..."                                               a pack: any number of dimensions, treated alike
//              | NAME "<" NAME "[" [ NAME { "," NAME } ] "]"              ragged: bounded by an i32 tensor, which this declares
//              | NAME "=" NAME "*" NAME { "*" NAME }                      one dimension outside, its parts inside
//   scalar     = NAME "=" literal [ "in" domain ]
//   domain     = ( "[" | "(" ) literal "," literal ( "]" | ")" ) | "{" literal { "," literal } "}"
//   statement  = NAME "=" expression | "next" NAME "=" expression | "require" comparison      each begins a line
//   expression = sum
//   comparison = sum ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) sum         select's first argument, and require
//   sum        = product { ( "+" | "-" ) product }
//   product    = unary { ( "*" | "/" ) unary }
//   unary      = "-" unary | power
//   power      = primary [ "^" [ "-" ] INTEGER ]
//   primary    = NUMBER | "inf" | NAME | NAME "(" comparison-or-expression { "," … } ")" | "(" comparison-or-expression ")"
//   literal    = [ "-" ] ( NUMBER | "inf" )
//
// `#` opens a comment. Doc lines (`///`) belong to the norm below them. Newlines matter only in that a statement begins one. Which names
// are axes, and so whether `max(x, cols)` reduces or compares, is the checker's to say.
//
// An error abandons its statement (or, in a signature, its norm) and the parser goes on at the next one: all errors of a file are reported.
#include <charconv>
#include <limits>

#include "dsl/syntax.h"

namespace normforge {
namespace {

struct Abandon {}; // thrown once an error is recorded; caught where parsing can go on
struct GiveUp {};  // thrown when errors abound

constexpr double kLargestExponent = 64;
constexpr std::string_view kComparisons[] = {"<", "<=", ">", ">=", "==", "!="};

class Parser {
public:
  Parser(std::string_view text, Diagnostics &diagnostics) : lexer(text), diagnostics(diagnostics) {
    advance();
    advance();
  }

  FileSyntax parse() {
    try {
      definitions();
    } catch (GiveUp) {
    }
    return std::move(file);
  }

private:
  void definitions() {
    while (token.kind != Token::end) {
      std::string doc = docs();
      if (token.kind == Token::end)
        break;
      try {
        if (token.is("norm"))
          norm(std::move(doc));
        else if (token.is("def"))
          def();
        else
          fail("'norm' or 'def'");
      } catch (Abandon) {
        nesting = 0;
        do
          advance();
        while (token.kind != Token::end && !begins_definition());
      }
    }
  }

  // --- tokens

  void advance() {
    do {
      token = ahead;
      ahead = lexer.next();
    } while (inside && token.kind == Token::doc);
  }

  std::string docs() {
    std::string lines;
    for (bool first = true; token.kind == Token::doc; advance(), first = false)
      lines.append(first ? "" : "\n").append(token.text);
    return lines;
  }

  static std::string found(const Token &token) {
    if (token.kind == Token::end)
      return "the end of the file";
    if (token.kind == Token::unknown)
      return "bytes that begin no word, number or sign";
    if (token.kind == Token::doc)
      return "a doc line";
    return quoted(token.text);
  }

  [[noreturn]] void fail(const std::string &expected) { fail_at(token, "expected " + expected + ", found " + found(token)); }
  [[noreturn]] void fail_at(const Token &at, std::string message) {
    diagnostics.error(at.span(), std::move(message));
    if (diagnostics.full())
      throw GiveUp{};
    throw Abandon{};
  }

  bool accept(std::string_view symbol) {
    if (!token.is(symbol))
      return false;
    advance();
    return true;
  }
  Token expect(std::string_view symbol) {
    if (!token.is(symbol))
      fail("'" + std::string(symbol) + "'");
    Token taken = token;
    advance();
    return taken;
  }
  Token name(const char *what) {
    if (token.kind != Token::name)
      fail(what);
    if (is_keyword(token.text))
      fail_at(token, "'" + std::string(token.text) + "' is a word of the language: expected " + what);
    Token taken = token;
    advance();
    return taken;
  }

  double number() {
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
  double literal() { return accept("-") ? -number() : number(); }

  /// item { "," item }
  template <class Item> void list(const Item &item) {
    do
      item();
    while (accept(","));
  }

  // --- signatures

  AxisSyntax axis() {
    AxisSyntax axis;
    axis.name = name("an axis");
    if (accept("...")) {
      axis.pack = true;
    } else if (accept("<")) {
      axis.length = name("the tensor of lengths");
      expect("[");
      if (!token.is("]"))
        list([&] { axis.length_axes.push_back(name("an axis")); });
      expect("]");
    } else if (accept("=")) {
      axis.parts.push_back(name("the outer part of the axis"));
      expect("*");
      do
        axis.parts.push_back(name("a part of the axis"));
      while (accept("*"));
    }
    return axis;
  }

  TensorSyntax tensor(bool output) {
    TensorSyntax tensor;
    tensor.inout = !output && accept("inout");
    tensor.name = name(output ? "an output" : "a tensor");
    expect("[");
    if (!token.is("]"))
      list([&] { tensor.axes.push_back(axis()); });
    expect("]");
    if (accept(":"))
      tensor.dtype = name("a dtype");
    if (!output && !tensor.inout && accept("="))
      tensor.fallback = literal();
    return tensor;
  }

  ScalarSyntax scalar() {
    ScalarSyntax syntax;
    syntax.name = name("a scalar");
    Scalar &scalar = syntax.scalar;
    expect("=");
    scalar.fallback = literal();
    if (!accept("in"))
      return syntax;
    if (accept("{")) {
      list([&] { scalar.set.push_back(literal()); });
      expect("}");
      return syntax;
    }
    scalar.lo_open = token.is("(");
    if (!scalar.lo_open && !token.is("["))
      fail("a domain: '[', '(' or '{'");
    advance();
    scalar.lo = literal();
    expect(",");
    scalar.hi = literal();
    scalar.hi_open = token.is(")");
    if (!scalar.hi_open && !token.is("]"))
      fail("']' or ')'");
    advance();
    return syntax;
  }

  void norm(std::string doc) {
    inside = true;
    struct Leave {
      bool &inside;
      ~Leave() { inside = false; }
    } leave{inside};
    NormSyntax norm;
    norm.doc = std::move(doc);
    expect("norm");
    norm.name = name("a name for the norm");
    expect("(");
    list([&] { parameter(norm, [&] { norm.inputs.push_back(tensor(false)); }); });
    if (accept(";"))
      list([&] { parameter(norm, [&] { norm.scalars.push_back(scalar()); }); });
    expect(")");
    if (accept("->"))
      list([&] { parameter(norm, [&] { norm.outputs.push_back(tensor(true)); }); });
    expect("{");
    while (!token.is("}")) {
      if (token.kind == Token::end || begins_definition())
        fail("a statement or '}'");
      statement(norm);
    }
    inside = false;
    advance();
    if (norm.readable)
      file.norms.push_back(std::move(norm));
  }

  /// One entry of a signature; after an error the next entry is read, and the norm's body for its syntax alone.
  template <class Entry> void parameter(NormSyntax &norm, const Entry &entry) {
    try {
      entry();
    } catch (Abandon) {
      norm.readable = false;
      for (int open = 0; token.kind != Token::end && !token.is("{") && !begins_definition(); advance()) {
        if (open <= 0 && (token.is(",") || token.is(";") || token.is(")") || token.is("->")))
          break;
        open += int(token.is("[") || token.is("(")) - int(token.is("]") || token.is(")"));
      }
    }
  }

  bool begins_definition() const { return token.first_on_line && (token.is("norm") || token.is("def")); }

  void def() {
    DefSyntax def;
    expect("def");
    def.name = name("a name for the definition");
    expect("(");
    list([&] { def.parameters.push_back(name("a parameter")); });
    expect(")");
    expect("=");
    def.body = expression();
    file.defs.push_back(std::move(def));
  }

  // --- statements

  bool begins_statement() const {
    return token.is("next") || token.is("require") || (token.kind == Token::name && !is_keyword(token.text) && ahead.is("="));
  }

  void statement(NormSyntax &norm) {
    StatementSyntax statement{StatementSyntax::assign, token};
    try {
      if (!token.first_on_line && !norm.body.empty())
        fail("an operator or a new line");
      if (accept("require")) {
        statement.kind = StatementSyntax::require;
      } else {
        if (accept("next"))
          statement.kind = StatementSyntax::next;
        statement.name = name("a statement: a name, 'next' or 'require'");
        expect("=");
      }
      norm.body.push_back(statement);
      norm.body.back().value = comparison_or_expression();
    } catch (Abandon) {
      nesting = 0;
      norm.whole = false;
      while (token.kind != Token::end && !token.is("}") && !begins_definition() && !(token.first_on_line && begins_statement()))
        advance();
    }
  }

  // --- expressions

  ExprId make(Expr::Kind kind, const Token &at, std::vector<ExprId> args, double value = 0) {
    Expr expr{kind, at, value, std::move(args)};
    for (ExprId arg : expr.args)
      expr.depth = std::max(expr.depth, 1 + file.expressions[size_t(arg)].depth);
    if (expr.depth > kDeepestNesting)
      too_deep(at);
    file.expressions.push_back(std::move(expr));
    return ExprId(file.expressions.size() - 1);
  }
  [[noreturn]] void too_deep(const Token &at) {
    fail_at(at, "this expression is nested deeper than " + std::to_string(kDeepestNesting) + " levels: give a name to a part of it");
  }

  /// Counts the levels that recursion is deep. Abandoning a statement resets it.
  template <class Rule> ExprId nested(const Rule &rule) {
    if (++nesting > kDeepestNesting)
      too_deep(token);
    const ExprId expr = rule();
    --nesting;
    return expr;
  }

  ExprId comparison_or_expression() {
    const ExprId lhs = expression();
    for (std::string_view comparison : kComparisons)
      if (token.is(comparison)) {
        const Token at = token;
        advance();
        return make(Expr::compare, at, {lhs, expression()});
      }
    return lhs;
  }

  ExprId expression() {
    ExprId lhs = product();
    while (token.is("+") || token.is("-")) {
      const Token at = token;
      advance();
      lhs = make(Expr::binary, at, {lhs, product()});
    }
    return lhs;
  }

  ExprId product() {
    ExprId lhs = unary();
    while (token.is("*") || token.is("/")) {
      const Token at = token;
      advance();
      lhs = make(Expr::binary, at, {lhs, unary()});
    }
    return lhs;
  }

  ExprId unary() {
    const Token at = token;
    if (accept("-"))
      return make(Expr::negate, at, {nested([&] { return unary(); })});
    return power();
  }

  ExprId power() {
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

  ExprId primary() {
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

  Lexer lexer;
  Diagnostics &diagnostics;
  FileSyntax file;
  Token token, ahead;
  bool inside = false; ///< a norm: doc lines are comments there
  int nesting = 0;
};

} // namespace

FileSyntax parse_syntax(std::string_view text, Diagnostics &diagnostics) { return Parser(text, diagnostics).parse(); }

} // namespace normforge
