// Norms over batches, channels and space against formulas written out here in long double: nothing is shared but the data.
#include <functional>

#include "dsl/error.h"
#include "tests/dsl/formulas.h"

namespace normforge {
namespace {

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

} // namespace
} // namespace normforge
