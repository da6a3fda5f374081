#include "codegen/sweep_plan.h"

#include <gtest/gtest.h>

namespace normforge {
namespace {

SweepPlan plan_of(const std::string &problem) { return make_sweep_plan(parse_problem(problem)); }

SweepPlan plan_of_norm(const char *text) { return make_sweep_plan(default_problem(parse_norms(text, "test.norm").front())); }

// The text after the problem line, with runs of spaces folded.
std::string body(const SweepPlan &plan) {
  std::string text = to_text(plan), folded;
  for (char c : text.substr(text.find('\n') + 1))
    if (c != ' ' || (!folded.empty() && folded.back() != ' ' && folded.back() != '\n'))
      folded += c;
  return folded;
}

TEST(SweepPlan, LayerNormHasThreeSweepsThroughAPivot) {
  EXPECT_EQ(body(plan_of("layer_norm rows=512 cols=768 outputs=y")), "for each rows\n"
                                                                     "s1 = first(x)\n"
                                                                     "sweep 1 over cols: reads x p1 = x - s1\n"
                                                                     "t1 = sum(p1)\n"
                                                                     "then r1 = t1 / 768\n"
                                                                     "sweep 2 over cols: reads x p1 = x - s1\n"
                                                                     "p2 = p1 - r1\n"
                                                                     "t2 = sum(p2 * p2)\n"
                                                                     "then r2 = rsqrt(t2 / 768 + eps)\n"
                                                                     "sweep 3 over cols: reads x, gamma, beta p1 = x - s1\n"
                                                                     "p2 = p1 - r1\n"
                                                                     "write y = p2 * r2 * gamma + beta\n");
}

TEST(SweepPlan, SweepsAreAsManyAsTheReductionsThatFeedEachOtherAndTheWrite) {
  const std::pair<const char *, size_t> expected[] = {
      {"rms_norm", 2}, {"softmax", 3},          {"layer_norm_monitored", 4}, {"rms_norm_quant", 3},
      {"moments", 2},  {"batch_norm_infer", 0}, {"batch_norm_train", 3},     {"layer_norm outputs=mean", 1}};
  for (const auto &[problem, sweeps] : expected) {
    const SweepPlan plan = plan_of(problem);
    ASSERT_EQ(plan.nests.size(), 1u) << problem;
    EXPECT_EQ(plan.nests[0].sweeps.size(), sweeps) << problem;
  }
}

TEST(SweepPlan, PointOutputsAreWrittenInTheLastSweepAlone) {
  for (const NormRef &norm : catalogue())
    for (const SweepPlan plan = make_sweep_plan(default_problem(norm)); const Nest &nest : plan.nests)
      for (const Sweep &sweep : nest.sweeps)
        EXPECT_TRUE(sweep.writes.empty() || &sweep == &nest.sweeps.back()) << norm->program.name;
}

// Squares about the mean that the sweep before makes, and nothing that waits for that mean.
TEST(SweepPlan, CentredMomentsCanGoWithTheSumThatTheyAreCentredOn) {
  const auto sweeps_with_moments = [](const SweepPlan &plan) {
    std::vector<size_t> found;
    for (const Nest &nest : plan.nests)
      for (size_t i = 0; i < nest.sweeps.size(); ++i)
        if (!nest.sweeps[i].moments.empty())
          found.push_back(i);
    return found;
  };
  const std::pair<const char *, std::vector<size_t>> expected[] = {
      {"layer_norm", {1}},     {"moments", {1}},           {"batch_norm_train", {1}},         {"layer_norm_monitored", {1, 3}},
      {"add_layer_norm", {1}}, {"batch_norm_ragged", {2}}, {"layer_norm outputs=mean", {}},   {"rms_norm", {}},
      {"softmax", {}},         {"l1_normalize", {}},       {"mean_variance_norm x=bf16", {1}}};
  for (const auto &[problem, sweeps] : expected)
    EXPECT_EQ(sweeps_with_moments(plan_of(problem)), sweeps) << problem;

  const auto of_norm = [&](const std::string &body) {
    return sweeps_with_moments(
        plan_of_norm(("norm one(x[rows, cols]) -> y[rows, cols], v[rows] {\n  m = avg(x, cols)\n" + body + "}\n").c_str()));
  };
  EXPECT_EQ(of_norm("  v = sum((x - m)^2, cols)\n  y = x * v\n"), std::vector<size_t>{1});
  EXPECT_EQ(of_norm("  v = sum((m - x)^2, cols)\n  y = x * v\n"), std::vector<size_t>{1});
  const std::vector<size_t> none;
  EXPECT_EQ(of_norm("  v = sum((x - m)^2, cols)\n  y = x - m\n"), none) << "y waits for the mean in the sweep of the squares";
  EXPECT_EQ(of_norm("  v = sum((x - m)^4, cols)\n  y = x * v\n"), none);
  EXPECT_EQ(of_norm("  v = sum(abs(x - m), cols)\n  y = x * v\n"), none);
  EXPECT_EQ(of_norm("  v = sum((x - 2 * m)^2, cols)\n  y = x * v\n"), none);
  EXPECT_EQ(of_norm("  v = sum((x - m)^2, cols) + max(abs(x - m), cols)\n  y = x * v\n"), none);
}

// Reductions over different axes: each set has a nest, what crosses goes through a temporary, the output is written by a pointwise nest at
// the end.
TEST(SweepPlan, ReductionsOverDifferentAxesHaveNestsOfTheirOwn) {
  const SweepPlan plan = plan_of_norm("norm two(x[rows, cols]) -> y[rows, cols] {\n"
                                      "  t = sum(x^2, cols)\n"
                                      "  y = x / sqrt(max(t, rows))\n"
                                      "}\n");
  ASSERT_EQ(plan.nests.size(), 3u);
  EXPECT_EQ(body(plan), "for each rows\n"
                        "sweep 1 over cols: reads x t1 = sum(x * x)\n"
                        "then write temporary0 = t1\n"
                        "once\n"
                        "sweep 1 over rows: reads nothing t1 = temporary0\n"
                        "m1 = max(t1)\n"
                        "then write temporary1 = m1\n"
                        "for each rows, cols\n"
                        "m1 = temporary1\n"
                        "r1 = sqrt(m1)\n"
                        "write y = x / r1\n");
}

// In place, y may be x: a pivot that the last nest read again might be overwritten, so it crosses as a temporary too.
TEST(SweepPlan, APivotThatALaterNestNeedsIsATemporary) {
  const SweepPlan plan = plan_of_norm("norm two(x[rows, cols]) -> y[rows, cols] {\n"
                                      "  c = x - avg(x, cols)\n"
                                      "  y = c / sqrt(max(avg(c^2, cols), rows))\n"
                                      "}\n");
  bool found = false;
  for (const Temporary &temporary : plan.temporaries)
    found |= plan.program().node(temporary.node).op == Op::first && temporary.nest == 0;
  EXPECT_TRUE(found) << body(plan);
}

// An output that needs no reduction joins the nest that iterates over its axes.
TEST(SweepPlan, OutputsWithoutReductionsJoinANest) {
  EXPECT_EQ(plan_of("moments").nests.size(), 1u);
  EXPECT_EQ(plan_of("add_layer_norm").nests.size(), 1u);
}

} // namespace
} // namespace normforge
