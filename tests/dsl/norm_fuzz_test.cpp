// Mutated norms. Whatever the text: the parser gives norms or a UserError, never anything else; and what it accepts, it prints in a form
// that it reads back as the same program. Seeded, so that a failure repeats; NORMFORGE_LONG=1 tries fifty times as many.
#include <cstdlib>
#include <random>

#include <gtest/gtest.h>

#include "dsl/error.h"
#include "dsl/problem.h"

namespace normforge {
namespace {

constexpr std::string_view kPieces[] = {
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    ":",
    "=",
    "+",
    "-",
    "*",
    "/",
    "^",
    "^2",
    "<",
    "<=",
    ">",
    "==",
    "!=",
    "->",
    "...",
    "#",
    "\n",
    "///",
    "norm",
    "def",
    "inout",
    "next",
    "require",
    "in",
    "inf",
    "-inf",
    "0",
    "1e-5",
    "1e999",
    "x",
    "y",
    "rows",
    "cols",
    "mean",
    "count(",
    "sum(",
    "max(",
    "select(",
    "stored(",
    "sigmoid(",
    "clamp(",
    "f16(",
    "y = x\n",
    "x^-3",
    "{0}",
    "[0, 1]",
    "\xff",
    "space...",
    "a = b * c",
    "q < l[r]",
    ": i8",
    " = 1",
    "avg(x, cols)",
    "f(x)",
    "\0\0",
    "s = 1",
    "def f(v) = v * v\n",
};

struct Mutator {
  std::mt19937_64 generator;

  size_t below(size_t n) { return generator() % std::max<size_t>(1, n); }

  void mutate(std::string &text, const std::string &other) {
    const size_t at = below(text.size() + 1), length = std::min(below(12), text.size() - at);
    switch (below(7)) {
    case 0: text.insert(at, kPieces[below(std::size(kPieces))]); break;
    case 1: text.erase(at, length); break;
    case 2: text.replace(at, length, kPieces[below(std::size(kPieces))]); break;
    case 3: text.insert(below(text.size()), text.substr(at, below(60))); break;
    case 4: text.insert(at, other.substr(below(other.size()), below(120))); break;
    case 5:
      if (at < text.size())
        text[at] = char(generator());
      break;
    case 6: swap_words(text); break;
    }
  }

  /// Exchanges two words of the text: the mutation that most often leaves a norm valid.
  void swap_words(std::string &text) {
    const auto word = [&](size_t from) {
      constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz_0123456789";
      const size_t begin = std::min(text.find_first_of(kLetters, from), text.size());
      return std::pair(begin, std::min(text.find_first_not_of(kLetters, begin), text.size()));
    };
    auto [a, a_end] = word(below(text.size()));
    auto [b, b_end] = word(below(text.size()));
    if (a > b)
      std::swap(a, b), std::swap(a_end, b_end);
    if (a_end > b)
      return;
    const std::string first = text.substr(a, a_end - a), second = text.substr(b, b_end - b);
    text.replace(b, b_end - b, first);
    text.replace(a, a_end - a, second);
  }
};

size_t tries(size_t quick) { return std::getenv("NORMFORGE_LONG") ? quick * 50 : quick; }

TEST(Fuzz, MutatedNormsParseAndPrintOrAreRefused) {
  Mutator mutator{std::mt19937_64(1)};
  std::vector<std::string> texts;
  for (const NormRef &norm : catalogue())
    texts.push_back("def f(v) = v * exp(v)\n" + norm->text);
  size_t accepted = 0;
  for (size_t i = 0; i < tries(8000); ++i) {
    std::string text = texts[mutator.below(texts.size())];
    for (size_t n = 1 + mutator.below(mutator.below(3) ? 2 : 12); n > 0; --n)
      mutator.mutate(text, texts[mutator.below(texts.size())]);
    try {
      for (const NormRef &norm : parse_norms(text, "fuzz")) {
        ++accepted;
        const NormRef again = parse_norms(norm->text, "again").at(0);
        ASSERT_EQ(again->text, norm->text) << text;
        ASSERT_EQ(again->program, norm->program) << text;
        ASSERT_EQ(again->node_names, norm->node_names) << text;
        ASSERT_EQ(again->splits, norm->splits) << text;
        ASSERT_EQ(again->hash, norm->hash) << text;
      }
    } catch (const UserError &error) {
      ASSERT_FALSE(std::string_view(error.what()).empty());
    }
  }
  EXPECT_GT(accepted, tries(8000) / 20) << "the mutations should leave some norms valid";
}

// Random trees of every operation, with names and definitions strewn in.
struct Grower {
  std::mt19937_64 generator;
  std::vector<std::string> names = {"x", "z", "s", "2", "-3", "inf", "1e-5", "count(cols)"};
  size_t below(size_t n) { return generator() % n; }

  std::string grow(int depth) {
    if (depth == 0 || below(6) == 0)
      return names[below(names.size())];
    const auto sub = [&] { return grow(depth - 1); };
    constexpr const char *kSigns[] = {"+", "-", "*", "/"}, *kComparisons[] = {"<", "<=", ">", ">=", "==", "!="};
    constexpr const char *kFunctions[] = {"exp", "sqrt", "abs", "tanh", "f16", "i8", "round", "square", "twice"};
    switch (below(8)) {
    case 0:
    case 1:
    case 2: return "(" + sub() + ") " + kSigns[below(4)] + " (" + sub() + ")";
    case 3: return "-(" + sub() + ")";
    case 4: return "(" + sub() + ")^" + std::to_string(int(below(9)) - 4);
    case 5: return std::string(kFunctions[below(9)]) + "(" + sub() + ")";
    case 6: return "select(" + sub() + " " + kComparisons[below(6)] + " " + sub() + ", " + sub() + ", " + sub() + ")";
    default: return below(2) ? "max(" + sub() + ", " + sub() + ")" : "avg(x * (" + sub() + "), cols)";
    }
  }
};

TEST(Fuzz, GrownExpressionsRoundTrip) {
  for (size_t seed = 0; seed < tries(1000); ++seed) {
    Grower grower{std::mt19937_64(seed)};
    std::string text = "def square(v) = v * v\ndef twice(v) = square(v) + v\n"
                       "norm n(x[rows, cols], z[cols]; s = 1, unused = 1) -> y[rows, cols], a[rows, cols], out[rows, cols] {\n"
                       "  require s < unused\n";
    for (int i = 0; i < 3; ++i) {
      const std::string name = "t" + std::to_string(i);
      text += "  " + name + " = " + grower.grow(4) + "\n";
      grower.names.push_back(name);
    }
    text += "  y = t0 + t1 + t2 + x + z * s\n  a = t1\n  out = stored(y) * " + grower.grow(3) + "\n}\n";
    const NormRef norm = parse_norms(text, "grown").at(0);
    const NormRef again = parse_norms(norm->text, "again").at(0);
    ASSERT_EQ(again->text, norm->text) << text;
    ASSERT_EQ(again->program, norm->program) << text << norm->text;
  }
}

TEST(Fuzz, MutatedProblemsParseAndPrintOrAreRefused) {
  constexpr std::string_view kWords[] = {
      " rows=3",     " cols=7..", " cols=2x3",    " x=bf16", " gamma=none", " outputs=y", " order=cols,rows", " strides=x:rows",
      " channel=64", " group=8",  " inplace=y:x", " y=i8",   " outputs=",   " =",         " batch=9..2",      " sub=99999999999999999999"};
  Mutator mutator{std::mt19937_64(2)};
  for (size_t i = 0; i < tries(5000); ++i) {
    std::string line = catalogue()[mutator.below(catalogue().size())]->program.name;
    for (size_t n = mutator.below(6); n > 0; --n)
      line += kWords[mutator.below(std::size(kWords))];
    if (mutator.below(2))
      mutator.mutate(line, line);
    try {
      const Problem problem = parse_problem(line);
      ASSERT_EQ(parse_problem(to_text(problem)), problem) << line;
    } catch (const UserError &) {
    }
  }
}

// Megabytes of one thing: an error, in time and without running out of stack.
TEST(Fuzz, HugeFilesAreRefused) {
  const std::string open = "norm n(x[c]) -> y[c] {\n y = ";
  for (const std::string piece : {"(", "-", "x+", "exp(", "a = x\n", "[", "\n", "\xff", "x,", "{", "\"", "1"}) {
    std::string many;
    while (many.size() < (piece == "(" ? 10'000'000 : tries(100'000)))
      many += piece;
    for (const std::string &text : {many, open + many, "norm n(" + many, "norm n(x[" + many})
      EXPECT_THROW(parse_norms(text, "huge"), UserError) << piece;
  }
}

// f(v) = v and each definition calls the one before twice: 2^n steps for n lines.
TEST(Fuzz, DefinitionsThatDoubleAreRefused) {
  std::string text = "def d0(v) = v\n";
  for (int i = 1; i < 100; ++i)
    text += "def d" + std::to_string(i) + "(v) = d" + std::to_string(i - 1) + "(d" + std::to_string(i - 1) + "(v))\n";
  EXPECT_THROW(parse_norms(text + "norm n(x[c]) -> y[c] { y = d99(x) }", "doubling"), UserError);
}

} // namespace
} // namespace normforge
