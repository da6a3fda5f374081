// The evaluator against formulas written out here in long double, for every norm of the catalogue: nothing is shared but the data.
#include "dsl/reference.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include <gtest/gtest.h>

#include "dsl/error.h"

namespace normforge {
namespace {

using Real = long double;
using Row = std::vector<Real>;

ReferenceArray random(std::vector<int64_t> extents, uint64_t seed, double mean = 0, DType dtype = DType::f32) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal(mean, 1);
  ReferenceArray array{extents, {}};
  int64_t elements = 1;
  for (int64_t extent : extents)
    elements *= extent;
  for (int64_t i = 0; i < elements; ++i)
    array.values.push_back(round_to(dtype, normal(generator)));
  return array;
}

Real mean_of(const Row &v) {
  Real sum = 0;
  for (Real e : v)
    sum += e;
  return sum / Real(v.size());
}
Real squares_of(const Row &v, Real centre) {
  Real sum = 0;
  for (Real e : v)
    sum += (e - centre) * (e - centre);
  return sum;
}
Real variance_of(const Row &v) { return squares_of(v, mean_of(v)) / Real(v.size()); }
Real largest_of(const Row &v) { return *std::ranges::max_element(v); }

/// y[i] of a row, given the row and i.
using RowFormula = std::function<Real(const Row &x, size_t i)>;

std::map<std::string, ReferenceArray> run(const std::string &problem, std::vector<int64_t> extents,
                                          std::map<std::string, ReferenceArray> tensors, std::map<std::string, double> scalars = {}) {
  return evaluate(parse_problem(problem), extents, {std::move(tensors), std::move(scalars)});
}

void expect_near(double got, Real expected, const std::string &what, Real tolerance = 1e-12L) {
  if (std::isnan(expected))
    EXPECT_TRUE(std::isnan(got)) << what;
  else
    EXPECT_NEAR(got, double(expected), double(tolerance * std::max<Real>(1, std::fabs(expected)))) << what;
}

struct RowCase {
  std::string norm;
  RowFormula y;
};

// Norms over rows[5] x cols[7], gamma, beta, residual, z present where the norm has them.
class RowNorms : public testing::Test {
protected:
  static constexpr int64_t kRows = 5, kCols = 7;
  std::map<std::string, ReferenceArray> data = {{"x", random({kRows, kCols}, 1, 0.5)},
                                                {"gamma", random({kCols}, 2)},
                                                {"beta", random({kCols}, 3)},
                                                {"residual", random({kRows, kCols}, 4)},
                                                {"z", random({kRows, kCols}, 5)}};
  Real gamma(size_t i) const { return data.at("gamma").values[i]; }
  Real beta(size_t i) const { return data.at("beta").values[i]; }

  std::map<std::string, ReferenceArray> evaluate_on_data(const std::string &norm) const {
    std::map<std::string, ReferenceArray> inputs;
    for (const Tensor &tensor : find_norm(norm)->program.tensors)
      if (tensor.role == Tensor::input)
        inputs[tensor.name] = data.at(tensor.name);
    return run(norm, {kRows, kCols}, inputs);
  }
  Row row(const std::string &tensor, int64_t r) const {
    const auto &values = data.at(tensor).values;
    return Row(values.begin() + r * kCols, values.begin() + (r + 1) * kCols);
  }
};

TEST_F(RowNorms, AgreeWithTheirFormulas) {
  const auto rms = [](const Row &x, Real eps) { return 1 / std::sqrt(squares_of(x, 0) / Real(x.size()) + eps); };
  const auto standard = [](const Row &x, size_t i) { return (x[i] - mean_of(x)) / std::sqrt(variance_of(x) + 1e-5L); };
  const auto exponentials = [](const Row &x) {
    Real sum = 0;
    for (Real e : x)
      sum += std::exp(e);
    return sum;
  };
  const std::vector<RowCase> cases = {
      {"layer_norm", [&](const Row &x, size_t i) { return standard(x, i) * gamma(i) + beta(i); }},
      {"layer_norm_monitored", [&](const Row &x, size_t i) { return standard(x, i) * gamma(i) + beta(i); }},
      {"layer_norm_std",
       [&](const Row &x, size_t i) {
         return (x[i] - mean_of(x)) / (std::sqrt(squares_of(x, mean_of(x)) / Real(kCols - 1)) + 1e-6L) * gamma(i) + beta(i);
       }},
      {"rms_norm", [&](const Row &x, size_t i) { return x[i] * rms(x, 1e-6L) * gamma(i); }},
      {"rms_norm_gemma", [&](const Row &x, size_t i) { return x[i] * rms(x, 1e-6L) * (1 + gamma(i)); }},
      {"l2_normalize", [&](const Row &x, size_t i) { return x[i] / std::sqrt(squares_of(x, 0)); }},
      {"l1_normalize",
       [&](const Row &x, size_t i) {
         Real sum = 0;
         for (Real e : x)
           sum += std::fabs(e);
         return x[i] / sum;
       }},
      {"softmax", [&](const Row &x, size_t i) { return std::exp(x[i]) / exponentials(x); }},
      {"log_softmax", [&](const Row &x, size_t i) { return x[i] - std::log(exponentials(x)); }},
  };
  for (const RowCase &each : cases) {
    const auto y = evaluate_on_data(each.norm).at("y");
    for (int64_t r = 0; r < kRows; ++r)
      for (int64_t i = 0; i < kCols; ++i)
        expect_near(y.values[size_t(r * kCols + i)], each.y(row("x", r), size_t(i)), each.norm);
  }
}

TEST_F(RowNorms, GatedIsTimesSiluOfZ) {
  const auto y = evaluate_on_data("rms_norm_gated").at("y"), plain = evaluate_on_data("rms_norm").at("y");
  for (size_t i = 0; i < y.values.size(); ++i) {
    const Real z = data.at("z").values[i];
    expect_near(y.values[i], plain.values[i] * z / (1 + std::exp(-z)), "silu");
  }
}

TEST_F(RowNorms, AddedNormsAreThoseOfTheSumAsStored) {
  for (const std::string suffix : {"layer_norm", "rms_norm"})
    for (const char *stored : {"bf16", "f32"}) {
      std::map<std::string, ReferenceArray> inputs = {{"x", data["x"]}, {"residual", data["residual"]}, {"gamma", data["gamma"]}};
      ReferenceArray sum{{kRows, kCols}, {}};
      for (size_t i = 0; i < size_t(kRows * kCols); ++i)
        sum.values.push_back(data["x"].values[i] + data["residual"].values[i]);
      const auto got = run("add_" + suffix + " sum=" + stored, {kRows, kCols}, inputs);
      EXPECT_EQ(got.at("sum").values, sum.values);
      for (double &value : sum.values)
        value = round_to(*dtype_named(stored), value);
      const auto expected = run(suffix, {kRows, kCols}, {{"x", sum}, {"gamma", data["gamma"]}});
      EXPECT_EQ(got.at("y").values, expected.at("y").values) << suffix << " " << stored;
    }
}

TEST_F(RowNorms, StatisticsAreReturned) {
  const auto out = evaluate_on_data("layer_norm_monitored");
  for (int64_t r = 0; r < kRows; ++r) {
    const Row x = row("x", r);
    Row y(out.at("y").values.begin() + r * kCols, out.at("y").values.begin() + (r + 1) * kCols);
    for (Real &value : y)
      value = float(value);
    const size_t at = size_t(r);
    expect_near(out.at("mean").values[at], mean_of(x), "mean");
    expect_near(out.at("in_mean").values[at], mean_of(x), "in_mean");
    expect_near(out.at("rstd").values[at], 1 / std::sqrt(variance_of(x) + 1e-5L), "rstd");
    expect_near(out.at("in_std").values[at], std::sqrt(variance_of(x)), "in_std");
    expect_near(out.at("out_mean").values[at], mean_of(y), "out_mean");
    expect_near(out.at("out_std").values[at], std::sqrt(variance_of(y)), "out_std");
  }
}

TEST_F(RowNorms, QuantizedRowsReachTheirScale) {
  for (const std::string norm : {"layer_norm_quant", "rms_norm_quant"}) {
    const auto out = evaluate_on_data(norm), plain = evaluate_on_data(norm.substr(0, norm.size() - 6));
    for (int64_t r = 0; r < kRows; ++r) {
      Row v(plain.at("y").values.begin() + r * kCols, plain.at("y").values.begin() + (r + 1) * kCols), magnitudes;
      for (Real e : v)
        magnitudes.push_back(std::fabs(e));
      const Real scale = largest_of(magnitudes) / 127;
      expect_near(out.at("scale").values[size_t(r)], scale, norm);
      for (size_t i = 0; i < size_t(kCols); ++i)
        EXPECT_EQ(out.at("y").values[size_t(r * kCols) + i], double(std::nearbyint(v[i] / scale))) << norm;
    }
  }
  const auto zeros = run("rms_norm_quant", {1, 4}, {{"x", {{1, 4}, {0, 0, 0, 0}}}});
  EXPECT_EQ(zeros.at("scale").values, std::vector<double>{0});
  EXPECT_EQ(zeros.at("y").values, (std::vector<double>{0, 0, 0, 0}));
}

// Norms over batch[3] x channel x space[4]: each reduces over some of the axes.
struct Grid {
  int64_t batch = 3, channel = 6, space = 4;
  ReferenceArray x = random({batch, channel, space}, 7, 2), gamma = random({channel}, 8), beta = random({channel}, 9);
  Real at(int64_t b, int64_t c, int64_t s) const { return x.values[size_t((b * channel + c) * space + s)]; }
  /// The elements for which `keep` holds.
  Row gather(const std::function<bool(int64_t, int64_t, int64_t)> &keep) const {
    Row out;
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t c = 0; c < channel; ++c)
        for (int64_t s = 0; s < space; ++s)
          if (keep(b, c, s))
            out.push_back(at(b, c, s));
    return out;
  }
};

TEST(GridNorms, AgreeWithTheirFormulas) {
  const Grid g;
  struct Case {
    std::string norm;
    std::vector<int64_t> extents;
    bool affine;
    std::function<bool(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t)> same; // is the second point in the first's statistics?
    std::function<Real(Real centred, Real variance)> scale;
  };
  const auto rstd = [](Real centred, Real variance) { return centred / std::sqrt(variance + 1e-5L); };
  const std::vector<Case> cases = {
      {"layer_norm_channels", {3, 6, 4}, true, [](auto b, auto, auto s, auto b2, auto, auto s2) { return b == b2 && s == s2; }, rstd},
      {"batch_norm_train", {3, 6, 4}, true, [](auto, auto c, auto, auto, auto c2, auto) { return c == c2; }, rstd},
      {"instance_norm", {3, 6, 4}, true, [](auto b, auto c, auto, auto b2, auto c2, auto) { return b == b2 && c == c2; }, rstd},
      {"group_norm", {3, 2, 3, 4}, true, [](auto b, auto c, auto, auto b2, auto c2, auto) { return b == b2 && c / 3 == c2 / 3; }, rstd},
      {"mean_variance_norm",
       {3, 6, 4},
       false,
       [](auto, auto c, auto, auto, auto c2, auto) { return c == c2; },
       [](Real centred, Real variance) { return centred / (std::sqrt(variance) + 1e-9L); }},
  };
  for (const Case &each : cases) {
    std::map<std::string, ReferenceArray> inputs = {{"x", g.x}};
    const bool split = each.extents.size() == 4;
    if (split)
      inputs["x"].extents = each.extents;
    if (each.affine) {
      inputs["gamma"] = g.gamma;
      inputs["beta"] = g.beta;
      if (split)
        inputs["gamma"].extents = inputs["beta"].extents = {2, 3};
    }
    if (each.norm == "batch_norm_train")
      inputs["running_mean"] = inputs["running_var"] = g.gamma;
    const auto y = run(each.norm, each.extents, inputs).at("y");
    for (int64_t b = 0; b < g.batch; ++b)
      for (int64_t c = 0; c < g.channel; ++c)
        for (int64_t s = 0; s < g.space; ++s) {
          const Row all = g.gather([&](int64_t b2, int64_t c2, int64_t s2) { return each.same(b, c, s, b2, c2, s2); });
          const Real centred = each.scale(g.at(b, c, s) - mean_of(all), variance_of(all));
          const Real expected = each.affine ? centred * g.gamma.values[size_t(c)] + g.beta.values[size_t(c)] : centred;
          expect_near(y.values[size_t((b * g.channel + c) * g.space + s)], expected, each.norm);
        }
  }
}

TEST(GridNorms, BatchNormInferUsesTheStatisticsGiven) {
  const Grid g;
  const ReferenceArray mean = random({6}, 10);
  const ReferenceArray var{{6}, {1, 2, 3, 4, 5, 6}};
  const auto y =
      run("batch_norm_infer", {3, 6, 4}, {{"x", g.x}, {"mean", mean}, {"var", var}, {"gamma", g.gamma}, {"beta", g.beta}}).at("y");
  for (size_t i = 0; i < y.values.size(); ++i) {
    const size_t c = i / 4 % 6;
    expect_near(y.values[i],
                (g.x.values[i] - Real(mean.values[c])) / std::sqrt(var.values[c] + 1e-5L) * g.gamma.values[c] + g.beta.values[c], "y");
  }
}

TEST(GridNorms, RunningStatisticsFollowPyTorchOrOnnx) {
  const Grid g;
  const ReferenceArray old{{6}, {1, 2, 3, 4, 5, 6}};
  for (double unbiased : {0.0, 1.0}) {
    const auto out = run("batch_norm_train", {3, 6, 4}, {{"x", g.x}, {"running_mean", old}, {"running_var", old}},
                         {{"unbiased", unbiased}, {"momentum", 0.25}});
    for (int64_t c = 0; c < 6; ++c) {
      const Row all = g.gather([&](int64_t, int64_t c2, int64_t) { return c == c2; });
      const size_t at = size_t(c);
      expect_near(out.at("running_mean").values[at], 0.75L * old.values[at] + 0.25L * mean_of(all), "running_mean");
      expect_near(out.at("running_var").values[at],
                  0.75L * old.values[at] + 0.25L * squares_of(all, mean_of(all)) / Real(all.size() - size_t(unbiased)), "running_var");
      expect_near(out.at("mean").values[at], mean_of(all), "mean");
    }
  }
}

TEST(GridNorms, OneValuePerChannelHasNoUnbiasedVariance) {
  const ReferenceArray one{{1, 2, 1}, {3, 4}}, running{{2}, {0, 0}};
  const std::map<std::string, ReferenceArray> inputs = {{"x", one}, {"running_mean", running}, {"running_var", running}};
  EXPECT_NO_THROW(run("batch_norm_train", {1, 2, 1}, inputs, {{"unbiased", 0}}));
  try {
    run("batch_norm_train", {1, 2, 1}, inputs);
    FAIL();
  } catch (const UserError &error) {
    EXPECT_EQ(std::string(error.what()), "batch_norm_train: requires unbiased < count(batch, space), found 1 and 1");
  }
}

TEST(Moments, MergedPartsAreTheMomentsOfTheWhole) {
  const Grid g;
  ReferenceArray first{{2, 6, 4}, {g.x.values.begin(), g.x.values.begin() + 48}},
      last{{1, 6, 4}, {g.x.values.begin() + 48, g.x.values.end()}};
  const auto a = run("moments", {2, 6, 4}, {{"x", first}}), b = run("moments", {1, 6, 4}, {{"x", last}});
  const auto none = run("moments", {0, 6, 4}, {{"x", {{0, 6, 4}, {}}}}), whole = run("moments", {3, 6, 4}, {{"x", g.x}});
  const auto merge = [](const auto &a, const auto &b) {
    return run("moments_merge", {6},
               {{"count_a", a.at("count")},
                {"mean_a", a.at("mean")},
                {"m2_a", a.at("m2")},
                {"count_b", b.at("count")},
                {"mean_b", b.at("mean")},
                {"m2_b", b.at("m2")}});
  };
  for (int64_t c = 0; c < 6; ++c) {
    const Row all = g.gather([&](int64_t, int64_t c2, int64_t) { return c == c2; });
    for (const auto &merged : {merge(a, b), merge(whole, none), merge(none, whole)}) {
      EXPECT_EQ(merged.at("count").values[size_t(c)], 12);
      expect_near(merged.at("mean").values[size_t(c)], mean_of(all), "mean");
      expect_near(merged.at("m2").values[size_t(c)], squares_of(all, mean_of(all)), "m2");
    }
  }
  EXPECT_EQ(merge(none, none).at("count").values[0], 0);
}

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
