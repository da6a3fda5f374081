// Which kernels a library holds, and that every legal call finds one.
#include "codegen/package/selection.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>

#include "dsl/error.h"

namespace normforge {
namespace {

Selection select(const char *text, const char *targets = "x86-64-v3") {
  return select_kernels(parse_problems(text, "problems.txt"), parse_targets(targets));
}

std::vector<std::string> problems_of(const SelectedFunction &function) {
  std::vector<std::string> texts;
  for (const SelectedKernel &kernel : function.kernels)
    texts.push_back(to_text(kernel.plan->problem));
  return texts;
}

TEST(Selection, NarrowProblemsBeforeGenericOnes) {
  const Selection selection = select("softmax\nsoftmax cols=1..768\nsoftmax rows=1 cols=768\nsoftmax cols=768\n");
  ASSERT_EQ(selection.functions.size(), 1u);
  EXPECT_EQ(problems_of(selection.functions[0]),
            (std::vector<std::string>{"softmax rows=1 cols=768", "softmax cols=768", "softmax cols=1..768", "softmax",
                                      "softmax strides=x:rows,y:rows"}));
}

TEST(Selection, BestLevelFirst) {
  const Selection selection = select("softmax cols=768", "x86-64-v2,x86-64-v4,x86-64-v3");
  std::vector<int> levels;
  for (const SelectedKernel &kernel : selection.functions[0].kernels)
    levels.push_back(kernel.target->level);
  EXPECT_EQ(levels, (std::vector<int>{4, 4, 3, 3, 2, 2}));
}

TEST(Selection, GenericKernelsForEveryCombination) {
  // Two optional inputs; y and sum at every point; mean and rstd, which kernels ask about.
  const Selection selection = select("add_layer_norm");
  std::set<std::pair<std::set<int>, uint64_t>> combinations;
  for (const SelectedKernel &kernel : selection.functions[0].kernels) {
    const Problem &problem = kernel.plan->problem;
    std::set<int> absent;
    for (size_t t = 0; t < problem.dtypes.size(); ++t)
      if (!problem.dtypes[t])
        absent.insert(int(t));
    combinations.emplace(absent, problem.outputs);
  }
  const Program &program = selection.plans[0].problem.norm->program;
  const bool has_rows =
      std::ranges::any_of(program.tensors, [&](const Tensor &tensor) { return tensor.role == Tensor::output && tensor.axes.size() == 1; });
  EXPECT_EQ(combinations.size(), size_t(4 * (has_rows ? 4 : 3)));
}

TEST(Selection, PackedKernelsWherePackingMakesOtherRuns) {
  // Without gamma and beta nothing sets the channels of a group apart, so that they and the positions are one run of packed memory, but of
  // no other.
  const Selection selection = select("group_norm");
  std::vector<std::string> packed;
  for (const std::string &text : problems_of(selection.functions[0]))
    if (text.find("strides") == text.npos)
      packed.push_back(text);
  EXPECT_TRUE(std::ranges::count(packed, "group_norm gamma=none beta=none"));
  EXPECT_FALSE(std::ranges::count(packed, "group_norm beta=none"));
}

TEST(Selection, OneNumericsHalfPerFunction) {
  const Selection selection = select("layer_norm cols=768\nlayer_norm cols=16 beta=none\nsoftmax cols=100\nbatch_norm_train space=49",
                                     "x86-64-v2,x86-64-v3,x86-64-v4");
  for (const SelectedFunction &function : selection.functions)
    for (const SelectedKernel &kernel : function.kernels) {
      Numerics numerics = function.kernels.front().schedule.numerics;
      numerics.fma &= kernel.target->fma;
      EXPECT_EQ(kernel.schedule.numerics, numerics) << to_text(kernel.plan->problem);
    }
}

TEST(Selection, GpusHaveANumericsHalfOfTheirOwnOrTheCpus) {
  const std::vector<Problem> problems = parse_problems("layer_norm cols=768\nsoftmax cols=100", "problems.txt");
  const std::vector<const Target *> targets = parse_targets("x86-64-v2,x86-64-v3,sm_80,sm_90");
  for (const bool same_bits : {false, true})
    for (const SelectedFunction &function : select_kernels(problems, targets, {}, same_bits).functions) {
      const auto &kernels = function.kernels;
      const Numerics cpu =
          std::ranges::find_if(kernels, [](const SelectedKernel &kernel) { return !kernel.target->gpu(); })->schedule.numerics;
      for (const SelectedKernel &kernel : kernels)
        if (kernel.target->gpu()) {
          EXPECT_EQ(kernel.schedule.numerics == cpu, same_bits);
          EXPECT_TRUE(same_bits || kernel.schedule.numerics == pinned_numerics(kernel.plan->problem, *kernel.target));
        }
    }
  EXPECT_THROW(select_kernels(problems, parse_targets("sm_90"), {}, true), UserError);
}

/// By itself this problem would split rows along chunks of its own numerics half, which the function does not have.
TEST(Selection, TheFunctionsNumericsHalfComesBeforeTheDefaultMapping) {
  const Selection selection = select("batch_norm_train batch=512 channel=64 space=1 outputs=y", "x86-64-v2,x86-64-v3,x86-64-v4");
  EXPECT_GE(selection.functions.front().kernels.size(), 3u);
}

TEST(Selection, ProblemsThatLackATensorJoinTheFunctionThatHasIt) {
  const Selection selection =
      select("layer_norm x=bf16 beta=none gamma=f32\nlayer_norm x=bf16 gamma=f32 beta=f32\nlayer_norm gamma=none beta=none");
  ASSERT_EQ(selection.functions.size(), 2u);
  EXPECT_STREQ(selection.functions[0].table->function().name, "layer_norm_bf16_gamma_f32_beta_f32");
  EXPECT_STREQ(selection.functions[1].table->function().name, "layer_norm_f32");
}

TEST(Selection, RefusesANormWithTooManyChoices) {
  std::string inputs, sum = "x";
  for (int i = 0; i < 12; ++i) {
    inputs += ", i" + std::to_string(i) + "[cols...] = 0";
    sum += " + i" + std::to_string(i);
  }
  const auto norm =
      parse_norms("norm f(x[rows..., cols...]" + inputs + ") -> y[rows..., cols...] { y = (" + sum + ") / sum(x, cols) }", "f.norm")
          .front();
  const std::vector<Problem> problems{default_problem(norm)};
  EXPECT_THROW(select_kernels(problems, parse_targets("x86-64-v3")), UserError);
}

} // namespace
} // namespace normforge
