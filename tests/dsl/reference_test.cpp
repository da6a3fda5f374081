// The evaluator where formulas end: ragged rows, infinities and NaNs, precision, single operations, inputs that it refuses.
#include "dsl/error.h"
#include "tests/dsl/formulas.h"

namespace normforge {
namespace {

TEST(Ragged, RowsEndAtTheirLengths) {
  const ReferenceArray x = random({4, 5}, 11), length{{4}, {5, 3, 0, -2}};
  const auto ragged = run("softmax_ragged", {4, 5}, {{"x", x}, {"length", length}}).at("y");
  const auto normed = run("layer_norm_ragged", {4, 5}, {{"x", x}, {"length", length}}).at("y");
  for (size_t r = 0; r < 4; ++r) {
    const size_t n = size_t(std::max(0.0, length.values[r]));
    const Row row(x.values.begin() + ptrdiff_t(r * 5), x.values.begin() + ptrdiff_t(r * 5 + n));
    Real sum = 0;
    for (Real e : row)
      sum += std::exp(e);
    for (size_t i = 0; i < 5; ++i) {
      expect_near(ragged.values[r * 5 + i], i < n ? std::exp(row[i]) / sum : NAN, "softmax");
      expect_near(normed.values[r * 5 + i], i < n ? (row[i] - mean_of(row)) / std::sqrt(variance_of(row) + 1e-5L) : NAN, "layer_norm");
    }
  }
}

// A value that does not vary over the rows is reduced over a ragged axis: the result varies with the lengths.
TEST(Ragged, AReductionTakesOnTheAxesOfItsLengths) {
  const auto norm = parse_norms("norm n(x[b, q < l[b]], z[q]) -> y[b, q], s[b], n[b] { y = x\ns = sum(z, q)\nn = count(q) }", "n")[0];
  const auto out =
      evaluate(default_problem(norm), {3, 4}, {{{"x", random({3, 4}, 14)}, {"z", {{4}, {1, 10, 100, 1000}}}, {"l", {{3}, {2, 0, 9}}}}, {}});
  EXPECT_EQ(out.at("s").values, (std::vector<double>{11, 0, 1111}));
  EXPECT_EQ(out.at("n").values, (std::vector<double>{2, 0, 4}));
}

TEST(Ragged, BatchStatisticsLeavePaddingOut) {
  const ReferenceArray x = random({3, 4, 2}, 12), length{{3}, {4, 9, 1}};
  const auto out = run("batch_norm_ragged", {3, 4, 2}, {{"x", x}, {"length", length}});
  for (size_t c = 0; c < 2; ++c) {
    Row all;
    for (size_t b = 0; b < 3; ++b)
      for (size_t s = 0; s < std::min<size_t>(4, size_t(length.values[b])); ++s)
        all.push_back(x.values[(b * 4 + s) * 2 + c]);
    expect_near(out.at("mean").values[c], mean_of(all), "mean");
    for (size_t b = 0; b < 3; ++b)
      for (size_t s = 0; s < 4; ++s) {
        const size_t at = (b * 4 + s) * 2 + c;
        const bool written = double(s) < length.values[b];
        expect_near(out.at("y").values[at], written ? (x.values[at] - mean_of(all)) / std::sqrt(variance_of(all) + 1e-5L) : NAN, "y");
      }
  }
}

TEST(Edges, InfinitiesNaNsAndSingleElements) {
  const double inf = HUGE_VAL;
  const auto y = run("softmax", {3, 3}, {{"x", {{3, 3}, {0, -inf, 0, -inf, -inf, -inf, 1, NAN, 2}}}}).at("y").values;
  EXPECT_EQ(std::vector<double>(y.begin(), y.begin() + 3), (std::vector<double>{0.5, 0, 0.5}));
  for (size_t i = 3; i < 9; ++i)
    EXPECT_TRUE(std::isnan(y[i]));
  EXPECT_EQ(run("log_softmax", {1, 2}, {{"x", {{1, 2}, {5, -inf}}}}).at("y").values, (std::vector<double>{0, -inf}));
  EXPECT_TRUE(std::isnan(run("layer_norm_std", {1, 1}, {{"x", {{1, 1}, {3}}}}).at("y").values[0]));
  EXPECT_EQ(run("layer_norm", {1, 3}, {{"x", {{1, 3}, {4, 4, 4}}}, {"beta", {{3}, {1, 2, 3}}}}).at("y").values,
            (std::vector<double>{1, 2, 3}));
  EXPECT_TRUE(run("layer_norm", {0, 3}, {{"x", {{0, 3}, {}}}}).at("y").values.empty());
}

// A mean of 1e6 and rows of 100 000: f32 inputs to far below f32, f64 inputs to the last digits of f64.
TEST(Precision, LargeMeansAndLongRows) {
  for (DType dtype : {DType::f32, DType::f64}) {
    const int64_t n = 100000;
    ReferenceArray x = random({1, n}, 13, 1e6, dtype);
    const double offset = 1 << 20;
    ReferenceArray centred = x; // exact: x is within a factor of two of the offset
    for (double &value : centred.values)
      value -= offset;
    const std::string problem = "layer_norm x=" + std::string(name(dtype));
    const auto y = run(problem, {1, n}, {{"x", x}}).at("y").values;
    Row values(centred.values.begin(), centred.values.end());
    const Real mean = mean_of(values), rstd = 1 / std::sqrt(variance_of(values) + 1e-5L);
    Real worst = 0;
    for (size_t i = 0; i < y.size(); ++i)
      worst = std::max(worst, std::fabs(y[i] - (values[i] - mean) * rstd) / std::max<Real>(1, std::fabs(y[i])));
    EXPECT_LT(worst, dtype == DType::f32 ? 1e-9L : 2e-12L) << name(dtype);
  }
}

TEST(Precision, SumsAreCompensated) {
  const auto norm = parse_norms("norm n(x[c]) -> s[] { s = sum(x, c) }", "n")[0];
  for (DType dtype : {DType::f32, DType::f64}) {
    Problem problem = default_problem(norm);
    problem.dtypes[0] = dtype;
    const double huge = dtype == DType::f32 ? 0x1p100 : 0x1p300;
    EXPECT_EQ(evaluate(problem, {4}, {{{"x", {{4}, {1, huge, 1, -huge}}}}, {}}).at("s").values, std::vector<double>{2});
    EXPECT_EQ(evaluate(problem, {3}, {{{"x", {{3}, {1, HUGE_VAL, 1}}}}, {}}).at("s").values, std::vector<double>{HUGE_VAL});
  }
}

TEST(Inputs, AreCheckedBeforeAnythingRuns) {
  const auto error = [](const std::string &problem, std::vector<int64_t> extents, std::map<std::string, ReferenceArray> tensors,
                        std::map<std::string, double> scalars) -> std::string {
    try {
      run(problem, extents, std::move(tensors), std::move(scalars));
    } catch (const UserError &error) {
      return error.what();
    }
    return "no error";
  };
  const ReferenceArray x{{1, 2}, {1, 2}};
  EXPECT_EQ(error("layer_norm", {1, 2}, {{"x", x}}, {{"eps", -1}}), "layer_norm: eps = -1 is outside its domain [0, inf)");
  EXPECT_EQ(error("layer_norm", {1, 2}, {{"x", x}}, {{"eps", NAN}}), "layer_norm: eps = nan is outside its domain [0, inf)");
  EXPECT_EQ(error("layer_norm", {1, 2}, {{"x", x}}, {{"esp", 1}}),
            "layer_norm: unknown scalar 'esp'; did you mean 'eps'? (there are: eps)");
  EXPECT_EQ(error("layer_norm", {1, 2}, {}, {}), "layer_norm: the input 'x' is missing");
  EXPECT_EQ(error("layer_norm", {2, 1}, {{"x", x}}, {}), "layer_norm: the input 'x' has other extents than its axes");
}

// Every pointwise operation against the C library.
TEST(Operations, AgreeWithTheCLibrary) {
  const std::vector<std::pair<std::string, Real (*)(Real)>> operations = {
      {"abs(x)", [](Real v) { return std::fabs(v); }},
      {"sqrt(x)", [](Real v) { return std::sqrt(v); }},
      {"rsqrt(x)", [](Real v) { return 1 / std::sqrt(v); }},
      {"exp(x)", [](Real v) { return std::exp(v); }},
      {"exp2(x)", [](Real v) { return std::exp2(v); }},
      {"log(x)", [](Real v) { return std::log(v); }},
      {"log2(x)", [](Real v) { return std::log2(v); }},
      {"tanh(x)", [](Real v) { return std::tanh(v); }},
      {"erf(x)", [](Real v) { return std::erf(v); }},
      {"sigmoid(x)", [](Real v) { return 1 / (1 + std::exp(-v)); }},
      {"floor(x)", [](Real v) { return std::floor(v); }},
      {"ceil(x)", [](Real v) { return std::ceil(v); }},
      {"round(x)", [](Real v) { return std::nearbyint(v); }},
      {"-x", [](Real v) { return -v; }},
      {"x^3 - x^-2", [](Real v) { return v * v * v - 1 / (v * v); }},
      {"clamp(x, -1, 2)", [](Real v) { return std::fmin(std::fmax(v, -1.0L), 2.0L); }},
      {"select(x >= 0.5, x / 3, 2 - x)", [](Real v) { return v >= 0.5L ? v / 3 : 2 - v; }},
      {"select(x != 2.5, 1, x)", [](Real v) { return v != 2.5L ? 1 : v; }},
      {"f16(x)", [](Real v) { return Real(_Float16(v)); }},
  };
  const ReferenceArray x{{8}, {-40, -2.5, -0.5, 1e-9, 0.5, 1.5, 2.5, 30}};
  for (const auto &[text, function] : operations)
    for (const DType dtype : {DType::f32, DType::f64}) {
      Problem problem = default_problem(parse_norms("norm n(x[c]) -> y[c] { y = " + text + " }", "n")[0]);
      problem.dtypes = {dtype, dtype};
      const auto y = evaluate(problem, {8}, {{{"x", x}}, {}}).at("y");
      for (size_t i = 0; i < 8; ++i)
        if (const Real expected = function(x.values[i]); std::isfinite(expected))
          EXPECT_NEAR(y.values[i], double(expected), 1e-15 * std::max(1.0, double(std::fabs(expected)))) << text << " of " << x.values[i];
    }
}

TEST(Operations, ExtremaPassNaNOn) {
  const auto norm = parse_norms(
      "norm n(x[r, c], z[r, c]) -> y[r, c], top[r], low[r] { y = max(x, z) + min(z, x)\ntop = max(x, c)\nlow = min(x, c) }", "n")[0];
  const auto out =
      evaluate(default_problem(norm), {2, 3}, {{{"x", {{2, 3}, {1, NAN, 3, 4, 5, 6}}}, {"z", {{2, 3}, {1, 1, 1, 1, 1, NAN}}}}, {}});
  EXPECT_TRUE(std::isnan(out.at("y").values[1]) && std::isnan(out.at("y").values[5]));
  EXPECT_EQ(out.at("y").values[2], 4);
  EXPECT_TRUE(std::isnan(out.at("top").values[0]) && std::isnan(out.at("low").values[0]));
  EXPECT_EQ(out.at("top").values[1], 6);
  EXPECT_EQ(out.at("low").values[1], 4);
}

} // namespace
} // namespace normforge
