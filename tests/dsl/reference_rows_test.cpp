// Norms of rows against formulas written out here in long double: nothing is shared but the data.
#include <functional>

#include "tests/dsl/formulas.h"

namespace normforge {
namespace {

/// y[i] of a row, given the row and i.
using RowFormula = std::function<Real(const Row &x, size_t i)>;
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

} // namespace
} // namespace normforge
