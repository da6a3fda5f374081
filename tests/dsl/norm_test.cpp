// The catalogue, and canonical text.
#include "dsl/norm.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "dsl/error.h"

namespace normforge {
namespace {

NormRef parse(std::string_view text) { return parse_norms(text, "test.norm").at(0); }

/// The body's lines of a norm's canonical text.
std::string body(const Norm &norm) {
  const size_t open = norm.text.find("{\n");
  return norm.text.substr(open + 2, norm.text.size() - open - 4);
}

std::string canonical_body(const std::string &statements, const std::string &signature = "x[rows..., cols...]") {
  return body(*parse("norm n(" + signature + ") -> y[rows..., cols...] {\n" + statements + "\n}\n"));
}

std::string signature_of(const Program &program) {
  std::string out;
  for (const Tensor &tensor : program.tensors)
    out += (tensor.role == Tensor::output   ? "->"
            : tensor.role == Tensor::inout  ? "~"
            : tensor.role == Tensor::length ? "<"
                                            : "") +
           tensor.name + " ";
  for (const Scalar &scalar : program.scalars)
    out += ";" + scalar.name + "=" + number_text(scalar.fallback) + " ";
  return out;
}

// Names, order and defaults are what outside programs drive the catalogue by.
TEST(Catalogue, HasEveryNormWithItsSignature) {
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"add_layer_norm", "x residual gamma beta ->y ->sum ;eps=1e-5 "},
      {"add_rms_norm", "x residual gamma ->y ->sum ;eps=1e-6 "},
      {"batch_norm_infer", "x mean var gamma beta ->y ;eps=1e-5 "},
      {"batch_norm_ragged", "x gamma beta <length ->y ->mean ->rstd ;eps=1e-5 "},
      {"batch_norm_train", "x gamma beta ~running_mean ~running_var ->y ->mean ->rstd ;eps=1e-5 ;momentum=0.1 ;unbiased=1 "},
      {"group_norm", "x gamma beta ->y ->mean ->rstd ;eps=1e-5 "},
      {"instance_norm", "x gamma beta ->y ;eps=1e-5 "},
      {"l1_normalize", "x ->y ;eps=1e-12 "},
      {"l2_normalize", "x ->y ;eps=1e-12 "},
      {"layer_norm", "x gamma beta ->y ->mean ->rstd ;eps=1e-5 "},
      {"layer_norm_channels", "x gamma beta ->y ;eps=1e-5 "},
      {"layer_norm_monitored", "x gamma beta ->y ->mean ->rstd ->in_mean ->in_std ->out_mean ->out_std ;eps=1e-5 "},
      {"layer_norm_quant", "x gamma beta ->y ->scale ;eps=1e-5 "},
      {"layer_norm_ragged", "x gamma beta <length ->y ;eps=1e-5 "},
      {"layer_norm_std", "x gamma beta ->y ;eps=1e-6 "},
      {"log_softmax", "x ->y "},
      {"mean_variance_norm", "x ->y ;eps=1e-9 "},
      {"moments", "x ->count ->mean ->m2 "},
      {"moments_merge", "count_a mean_a m2_a count_b mean_b m2_b ->count ->mean ->m2 "},
      {"rms_norm", "x gamma ->y ->rstd ;eps=1e-6 "},
      {"rms_norm_gated", "x z gamma ->y ;eps=1e-6 "},
      {"rms_norm_gemma", "x gamma ->y ;eps=1e-6 "},
      {"rms_norm_quant", "x gamma ->y ->scale ;eps=1e-6 "},
      {"softmax", "x ->y "},
      {"softmax_ragged", "x <length ->y "},
  };
  std::vector<std::pair<std::string, std::string>> found;
  for (const NormRef &norm : catalogue())
    found.emplace_back(norm->program.name, signature_of(norm->program));
  EXPECT_EQ(found, expected);
}

TEST(Catalogue, EveryNormIsDocumentedAndFoundByName) {
  for (const NormRef &norm : catalogue()) {
    EXPECT_FALSE(norm->doc.empty()) << norm->program.name;
    EXPECT_EQ(find_norm(norm->program.name), norm);
  }
}

TEST(Catalogue, CanonicalTextGivesTheNormBackNodeForNode) {
  for (const NormRef &norm : catalogue()) {
    const NormRef again = parse(norm->text);
    EXPECT_EQ(again->text, norm->text);
    EXPECT_EQ(again->program, norm->program) << norm->text;
    EXPECT_EQ(again->node_names, norm->node_names);
    EXPECT_EQ(again->splits, norm->splits);
    EXPECT_EQ(again->hash, norm->hash);
  }
}

TEST(Canonical, AssociationIsKeptAndParenthesesAreFewest) {
  EXPECT_EQ(canonical_body("y = ((x - 1)) - (2 - (x))"), "  y = x - 1 - (2 - x)\n");
  EXPECT_EQ(canonical_body("y = x * (2 / 3) / (x * 4) + (-x)^2 - (-3)^2 - -x^-2"),
            "  y = x * (2 / 3) / (x * 4) + (-x)^2 - (-3)^2 - -x^-2\n");
  EXPECT_EQ(canonical_body("y = (x^2)^3 * -(x + 1)"), "  y = (x^2)^3 * -(x + 1)\n");
  EXPECT_EQ(canonical_body("y = -(3) * x - inf + -inf"), "  y = -3 * x - inf + -inf\n");
}

TEST(Canonical, SugarIsTakenApart) {
  EXPECT_EQ(canonical_body("y = select(x > 1, 2, x)"), "  y = select(1 < x, 2, x)\n");
  EXPECT_EQ(canonical_body("y = select(x != 1, 2, x)"), "  y = select(x == 1, x, 2)\n");
  EXPECT_EQ(canonical_body("y = clamp(x, 0, 6)"), "  y = min(max(x, 0), 6)\n");
  EXPECT_EQ(canonical_body("y = max(x, max(x, cols))"), "  y = max(x, max(x, cols))\n");
}

TEST(Canonical, AliasesGoAndOutputsGiveTheirNames) {
  EXPECT_EQ(canonical_body("a = x\nm = avg(a, cols)\nb = a - m\nc = b\ny = c"), "  m = avg(x, cols)\n  y = x - m\n");
}

TEST(Canonical, WhatADefinitionUsesTwiceIsNamed) {
  const NormRef norm = parse("def square(v) = v * v\nnorm n(x[cols]; v = 2) -> y[cols] { y = square(square(x + v)) }");
  EXPECT_EQ(body(*norm), "  v_2 = x + v\n  v_3 = v_2 * v_2\n  y = v_3 * v_3\n");
  EXPECT_EQ(parse(norm->text)->program, norm->program);
}

TEST(Canonical, CommentsAndLayoutDoNotChangeTheHash) {
  const NormRef a = parse("/// one\nnorm n(x[cols]) -> y[cols] { y = x + 1 }");
  const NormRef b = parse("# c\n/// two\nnorm n (x [cols])->y[cols]{ # d\n y=(x\n+1)}");
  EXPECT_EQ(a->hash, b->hash);
  EXPECT_NE(a->hash, parse("norm n(x[cols]) -> y[cols] { y = x - 1 }")->hash);
}

TEST(Parse, AFileHoldsSeveralNormsInOrder) {
  const auto norms =
      parse_norms("/// A.\nnorm a(x[c]) -> y[c] { y = x }\n\n/// B.\n///\n///  more\nnorm b(x[c]) -> y[c] { y = -x }\n", "f");
  ASSERT_EQ(norms.size(), 2u);
  EXPECT_EQ(norms[0]->doc, "A.");
  EXPECT_EQ(norms[1]->doc, "B.\n\n more");
}

} // namespace
} // namespace normforge
