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
#include "dsl/expression_parser.h"

namespace normforge {
namespace {

class Parser : ExpressionParser {
public:
  using ExpressionParser::ExpressionParser;

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
};

} // namespace

FileSyntax parse_syntax(std::string_view text, Diagnostics &diagnostics) { return Parser(text, diagnostics).parse(); }

} // namespace normforge
