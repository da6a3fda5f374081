// What a person reads when a norm is wrong: the exact text for the whole shape of a message, and one line each for every kind of mistake.
#include <gtest/gtest.h>

#include "dsl/error.h"
#include "dsl/norm.h"

namespace normforge {
namespace {

std::string report(std::string_view text) {
  try {
    parse_norms(text, "f.norm");
  } catch (const UserError &error) {
    return error.what();
  }
  return "no error";
}

/// The messages alone, a line each: "line:column: message".
std::string messages(std::string_view text) {
  std::string out;
  const std::string all = report(text);
  for (size_t begin = 0; begin < all.size();) {
    const size_t end = std::min(all.find('\n', begin), all.size());
    if (all.compare(begin, 7, "f.norm:") == 0)
      out += all.substr(begin + 7, end - begin - 7) + "\n";
    begin = end + 1;
  }
  return out.empty() ? all : out;
}

/// Of the statements of a norm over x[rows, cols...], its z[cols...], the scalar s and output y; lines count from the first statement.
std::string body(const std::string &statements) {
  return messages("norm n(x[rows, cols...], z[cols...] = 1; s = 1) -> y[rows, cols...] {\n" + statements + "\n}");
}

TEST(Diagnostics, ShowTheLineWithACaret) {
  EXPECT_EQ(report("norm n(x[rows..., cols...]) -> y[rows..., cols...] {\n  mean = avg(x, cols)\n\ty = x - meen # why\n}\n"),
            "f.norm:3:10: unknown name 'meen'; did you mean 'mean'?\n"
            "   y = x - meen # why\n"
            "           ^~~~");
}

TEST(Diagnostics, AllErrorsOfAFileAreReported) {
  EXPECT_EQ(messages("norm a(x[c]; s = 2 in [0, 1]) -> y[c] {\n"
                     "  t = sum(x, d)\n"
                     "  y = (x - t * + 2\n"
                     "  u = exq(x) + s\n"
                     "}\n"
                     "nrm b(x[c]) -> y[c] { y = x }\n"
                     "norm c(x[c]) -> y[c] { y = x + q }\n"),
            "1:14: the default of 's' is outside its domain\n"
            "2:14: expected an axis, found 'd'\n"
            "3:16: expected a value, found '+'\n"
            "4:7: unknown function 'exq'; did you mean 'exp'?\n"
            "6:1: expected 'norm' or 'def', found 'nrm'\n"
            "7:32: unknown name 'q'\n");
}

TEST(Diagnostics, SyntaxErrors) {
  EXPECT_EQ(body("y = x +"), "3:1: expected a value, found '}'\n");
  EXPECT_EQ(body("y = x z"), "2:7: expected an operator or a new line, found 'z'\n");
  EXPECT_EQ(body("y = x * (z + s"), "3:1: expected ')', found '}'\n");
  EXPECT_EQ(body("y = x^s"), "2:7: expected an integer exponent, found 's'\n");
  EXPECT_EQ(body("y = x^65"), "2:7: the exponent is '65'; at most 64 is possible\n");
  EXPECT_EQ(body("y = x^2^3"), "2:8: a power of a power needs parentheses\n");
  EXPECT_EQ(body("y = x @ z"), "2:7: expected an operator or a new line, found bytes that begin no word, number or sign\n");
  EXPECT_EQ(body("next = x"), "2:6: expected a statement: a name, 'next' or 'require', found '='\n");
  EXPECT_EQ(body("y = in"), "2:5: 'in' is a word of the language: expected a value\n");
  EXPECT_EQ(body("y = x * 1e999"), "2:9: '1e999' is outside the range of f64\n");
  EXPECT_EQ(messages("norm n(x[c]) -> y[c] {\n y = x\n"), "3:1: expected a statement or '}', found the end of the file\n");
  EXPECT_EQ(messages("norm n(x[c], ) -> y[c { y = x }"), "1:14: expected a tensor, found ')'\n1:23: expected ']', found '{'\n");
  EXPECT_EQ(messages("norm n(x[c]; s) -> y[c] { y = x + s }"), "1:15: expected '=', found ')'\n");
  EXPECT_EQ(messages("norm n(x[c]; s = 1 in <0, 1>) -> y[c] { y = x + s }"),
            "1:23: expected a domain: '[', '(' or '{', found '<'\n1:27: expected a scalar, found '1'\n");
  EXPECT_EQ(messages("# nothing here\n"),
            "1:1: expected a norm, found none: norm NAME(x[rows..., cols...]) -> y[rows..., cols...] { y = … }\n");
}

TEST(Diagnostics, Names) {
  EXPECT_EQ(body("y = x + z + t + s\nt = x"), "2:13: 't' is used before it is assigned\n");
  EXPECT_EQ(body("y = x + z + y + s"), "2:13: the output 'y' is used before it is assigned\n");
  EXPECT_EQ(body("t = x\nt = z + s\ny = t"), "3:1: 't' is assigned twice\n");
  EXPECT_EQ(body("y = x + z + s\ny = x"), "3:1: 'y' is assigned twice\n");
  EXPECT_EQ(body("x = z\ny = x + s"), "2:1: 'x' is an input and cannot be assigned\n");
  EXPECT_EQ(body("s = z\ny = x + s"), "2:1: 's' is a scalar and cannot be assigned\n");
  EXPECT_EQ(body("cols = z\ny = x + s"), "2:1: 'cols' is an axis and cannot be assigned\n");
  EXPECT_EQ(body("next x = z\ny = x + s"), "2:6: 'next' assigns an inout tensor, and 'x' is none\n");
  EXPECT_EQ(body("y = x + cols + s + z"), "2:9: expected a value, found the axis 'cols'; its extent is count(cols)\n");
  EXPECT_EQ(body("y = x"), "1:26: the input 'z' is never used\n1:42: the scalar 's' is never used\n");
  EXPECT_EQ(body("t = x + z + s"), "1:52: the output 'y' is never assigned\n");
  EXPECT_EQ(messages("norm n(x[c], inout r[c]) -> y[c] {\n y = x + r\n}"),
            "1:20: the inout tensor 'r' is never assigned: write 'next r = …', or drop 'inout'\n");
  EXPECT_EQ(messages("norm n(x[c], inout r[c]) -> y[c] {\n y = x\n r = x\n}"),
            "1:20: the inout tensor 'r' is never assigned: write 'next r = …', or drop 'inout'\n"
            "3:2: 'r' is its old value: write 'next r = …'\n");
}

TEST(Diagnostics, AxesAndReductions) {
  EXPECT_EQ(body("m = avg(x, cols)\ny = x + sum(m, cols) + z + s"),
            "3:16: 'sum' over 'cols' of a value that does not vary over it (its axes: rows)\n");
  EXPECT_EQ(body("y = x + sum(x) + z + s"), "2:9: 'sum' takes a value and the axes that it reduces over, found 1 argument\n");
  EXPECT_EQ(body("y = x + sum(x, cols, cols) + z + s"), "2:22: the axis 'cols' is named twice\n");
  EXPECT_EQ(body("y = x + max(x, z, s)"), "2:16: expected an axis, found 'z'\n2:19: expected an axis, found 's'\n");
  EXPECT_EQ(body("y = x + count() + z + s"), "2:9: 'count' takes the axes that it counts over, found none\n");
  EXPECT_EQ(body("y = x + exp(z, s)"), "2:9: 'exp' takes one value, found 2 arguments\n");
  EXPECT_EQ(messages("norm n(x[r, c]) -> m[r] {\n m = x\n}"), "2:2: 'm' lacks the axis 'c' over which its value varies\n");
  EXPECT_EQ(messages("norm n(x[b, q < l[b]]) -> m[q] {\n m = sum(x, b)\n}"),
            "2:6: 'sum' reduces over 'b' and keeps 'q', whose length varies over it: reduce over both\n");
  EXPECT_EQ(messages("norm n(x[b, q < l[b]]) -> y[b, q] {\n y = x + l\n}"),
            "2:10: 'l' holds lengths and is no value; count() of the axis that it bounds is\n");
}

TEST(Diagnostics, ComparisonsAndRequirements) {
  EXPECT_EQ(body("y = x + (z < s)"), "2:12: a comparison stands in select(…) or after 'require' alone\n");
  EXPECT_EQ(body("y = select(x, z, s)"), "2:12: expected a comparison as the first argument of 'select', found a value\n");
  EXPECT_EQ(body("require count(cols)\ny = x + z + s"), "2:9: expected a comparison after 'require', found a value\n");
  EXPECT_EQ(body("require x < s\ny = x + z"), "2:11: 'require' compares counts of axes that are not ragged, scalars and numbers\n");
  EXPECT_EQ(body("require count(cols) != s\ny = x + z"), "2:21: 'require' takes <, <=, >, >= or ==\n");
}

TEST(Diagnostics, Stored) {
  EXPECT_EQ(body("t = stored(x + z)\ny = t + s"),
            "2:14: 'stored' takes the value of an output: assign it to one, and write stored(OUTPUT)\n");
  EXPECT_EQ(messages("norm n(x[c]) -> y[c], a[c], b[c] {\n t = exp(x)\n a = t\n b = t\n y = stored(t)\n}"),
            "5:13: 'stored' of a value that several outputs have: write which, stored(a) or stored(b)\n");
}

TEST(Diagnostics, Definitions) {
  EXPECT_EQ(messages("def f(v) = v + w\nnorm n(x[c]) -> y[c] { y = x }"),
            "1:16: unknown name 'w' (a definition knows its parameters alone)\n");
  EXPECT_EQ(messages("def f(v) = f(v)\nnorm n(x[c]) -> y[c] { y = f(x) }"),
            "1:12: the definition 'f' is used before it stands: definitions do not recur\n");
  EXPECT_EQ(messages("def f(v, w) = v\ndef f(v) = v\ndef exp(v) = v\nnorm n(x[c]) -> y[c] { y = f(x) }"),
            "1:10: the parameter 'w' is never used\n2:5: the definition 'f' stands twice\n3:5: 'exp' is a function of the language\n"
            "4:28: 'f' takes 2 values, found 1 argument\n");
}

TEST(Diagnostics, Signatures) {
  EXPECT_EQ(messages("norm n(x[r, c...], g[c]) -> y[r, c...] { y = x + g }"), "1:22: 'c' is a pack: write 'c...'\n");
  EXPECT_EQ(messages("norm n(x[r, r]) -> y[r] { y = x }"), "1:13: 'x' has the axis 'r' twice\n");
  EXPECT_EQ(messages("norm n(x[c], x[c]) -> y[c] { y = x }"), "1:14: 'x' is already a tensor\n");
  EXPECT_EQ(messages("norm n(x[c = g * s], z[g, s]) -> y[c] { y = x + z }"), "1:27: the parts of 'c' stand side by side: write 'c'\n");
  EXPECT_EQ(messages("norm n(x[c], z[c = g * s]) -> y[c] { y = x + z }"),
            "1:16: 'c' stands in a tensor before this: split it where it first stands\n");
  EXPECT_EQ(messages("norm n(x[c], z[b, c < l[b]]) -> y[c] { y = x + max(z, b) }"),
            "1:19: 'c' stands in a tensor before this: say its length where it first stands\n");
  EXPECT_EQ(messages("norm n(x[q < l[b]]) -> y[q] { y = x }"), "1:16: 'b' is no axis of a tensor before this\n");
  EXPECT_EQ(messages("norm n(x[b, q < l[b], k < m[q]]) -> y[b, q, k] { y = x }"),
            "1:29: 'q' is ragged itself: lengths are over axes of fixed extent\n");
  EXPECT_EQ(messages("norm n(order[c]) -> y[c] { y = order }"), "1:8: 'order' is a word of problem text: call it otherwise\n");
  EXPECT_EQ(messages("norm n(x[c]) -> y[c]: i9 { y = x }"),
            "1:23: 'i9' is no dtype for 'y': expected one of f64, f32, bf16, f16, i8, f8e4m3\n");
  EXPECT_EQ(messages("norm n(x[c] = 1) -> y[c] { y = x }"), "1:8: the first tensor is what the norm is of: it has no default\n");
  EXPECT_EQ(messages("norm n(x[c]) { }"),
            "1:6: 'n' has no output: expected '-> NAME[axes]' after its parameters\n1:8: the input 'x' is never used\n");
  EXPECT_EQ(messages("norm n(x[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]) -> y[a] { y = x }"), "1:58: more than 16 axes\n");
  EXPECT_EQ(messages("norm n(x[c]) -> y[c] { y = x }\nnorm n(x[c]) -> y[c] { y = x }"), "2:6: the norm 'n' stands twice\n");
}

TEST(Diagnostics, AnyBytesCanBeShown) {
  EXPECT_EQ(report(std::string_view("norm n(x[\xc3\xa4]) \x00\xff", 16)),
            "f.norm:1:10: expected an axis, found bytes that begin no word, number or sign\n"
            "  norm n(x[ä]) ??\n"
            "           ^\n"
            "f.norm:1:14: expected '{', found bytes that begin no word, number or sign\n"
            "  norm n(x[ä]) ??\n"
            "               ^~");
}

TEST(Diagnostics, TheMostErrorsAreShownAndTheRestCounted) {
  std::string text = "norm n(x[c]) -> y[c] {\n";
  for (int i = 0; i < 150; ++i)
    text += "  y = x +\n";
  const std::string all = report(text + "}\n");
  EXPECT_NE(all.find("f.norm:101:"), all.npos);
  EXPECT_EQ(all.find("f.norm:152:"), all.npos);
  EXPECT_TRUE(all.ends_with("f.norm: and 50 errors more")) << all.substr(all.size() - 60);
}

TEST(FindNorm, FilesAndNames) {
  const auto error = [](std::string_view name) -> std::string {
    try {
      find_norm(name);
    } catch (const UserError &error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(error("layernorm"),
            "unknown norm 'layernorm'; did you mean 'layer_norm'? (expected a built-in norm, or a path to a .norm file)");
  EXPECT_EQ(error("no/such.norm"), "no/such.norm: cannot be read; expected a .norm file, or the name of a built-in norm");
  EXPECT_EQ(error("./"), "./: a folder; expected a .norm file");
}

} // namespace
} // namespace normforge
