// Names, fields and masks of functions, from problem text.
#include "codegen/package/function.h"

#include <gtest/gtest.h>
#include <tuple>

#include "codegen/sweep_plan.h"
#include "dsl/error.h"
#include "runtime/abi.h"

namespace normforge {
namespace {

std::string name_of(const char *text) { return FunctionTable(parse_problem(text)).function().name; }

TEST(FunctionName, SaysWhatIsNotTheDefaultBesideTheFirstInput) {
  EXPECT_EQ(name_of("layer_norm cols=768"), "layer_norm_f32");
  EXPECT_EQ(name_of("layer_norm x=bf16"), "layer_norm_bf16");
  EXPECT_EQ(name_of("layer_norm x=bf16 gamma=f32 beta=f32"), "layer_norm_bf16_gamma_f32_beta_f32");
  EXPECT_EQ(name_of("layer_norm x=bf16 y=f32 beta=none"), "layer_norm_bf16_y_f32");
  EXPECT_EQ(name_of("rms_norm_quant"), "rms_norm_quant_f32");
  EXPECT_EQ(name_of("rms_norm_quant y=f8e4m3"), "rms_norm_quant_f32_y_f8e4m3");
  EXPECT_EQ(name_of("instance_norm"), "instance_norm_f32");
  EXPECT_EQ(name_of("instance_norm order=batch,space,channel"), "instance_norm_f32_batch_space_channel");
}

TEST(FunctionFields, StandInOrderOfTheStruct) {
  const FunctionTable table(parse_problem("layer_norm cols=768 x=f64"));
  std::vector<std::string> names;
  for (const ArgsField &field : table.fields()) {
    EXPECT_EQ(field.offset, int32_t(names.size() * 8));
    names.push_back(field.name);
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"rows", "cols", "x", "gamma", "beta", "y", "mean", "rstd", "x_stride_rows", "y_stride_rows", "eps"}));
  EXPECT_EQ(table.args_bytes(), 88);
  EXPECT_EQ(table.extent_offset(1), 8);
  EXPECT_EQ(table.pointer_offset(3), 40);
  EXPECT_EQ(table.scalar_offset(0), 80);
  EXPECT_EQ(table.function().tensor[3].dtype, NF_F64);
  EXPECT_EQ(table.function().tensor[3].stride_offset[0], 64 + 8);
  EXPECT_EQ(table.function().tensor[3].stride_offset[1], -1);
}

TEST(FunctionFields, FollowMemoryOrder) {
  const FunctionTable table(parse_problem("layer_norm_channels order=batch,space,channel"));
  const nf_tensor &x = table.function().tensor[0];
  EXPECT_EQ(std::vector<int32_t>(x.axes, x.axes + 3), (std::vector<int32_t>{0, 2, 1}));
  EXPECT_EQ(table.fields()[3 + 4].name, "x_stride_batch");
  EXPECT_EQ(table.fields()[3 + 5].name, "x_stride_space");
}

TEST(FunctionFields, InnermostStrideWhereAProblemHasAny) {
  const FunctionTable table(parse_problem("layer_norm strides=x:any"));
  EXPECT_EQ(table.fields()[9].name, "x_stride_cols");
  EXPECT_GE(table.function().tensor[0].stride_offset[1], 0);
}

TEST(FunctionFields, KeywordsGetAnUnderscore) {
  const auto norm =
      parse_norms("norm f(this[double..., new...]; int = 1) -> y[double..., new...] { y = this * int / sum(this, new) }", "f.norm").front();
  const FunctionTable table(default_problem(norm));
  std::vector<std::string> names;
  for (const ArgsField &field : table.fields())
    names.push_back(field.name);
  EXPECT_EQ(names, (std::vector<std::string>{"double_", "new_", "this_", "y", "this_stride_double", "y_stride_double", "int_"}));
}

TEST(FunctionFields, TwoOfOneNameAreRefused) {
  const auto norm =
      parse_norms("norm f(x[a..., b...], x_stride_a[a...]) -> y[a..., b...] { y = x * x_stride_a / sum(x, b) }", "f.norm").front();
  EXPECT_THROW(FunctionTable(default_problem(norm)), UserError);
}

TEST(FunctionTable, MasksOfAKernel) {
  const Problem problem = parse_problem("add_layer_norm rows=1..8 cols=768 beta=none outputs=y inplace=y:residual strides=x:rows");
  FunctionTable table(problem);
  Kernel kernel;
  kernel.schedule = "…";
  kernel.steps = {{"kernel", {1, 0, 1}, 0}};
  std::tie(kernel.writes, kernel.may_write) = written_outputs(make_sweep_plan(problem));
  table.add_kernel(problem, find_target("x86-64-v3"), kernel, std::vector<nf_step>{{nullptr, {1, 0, 1}, 0}});
  const nf_kernel &entry = table.function().kernel[0];
  const auto bit = [&](const char *name) { return uint64_t(1) << problem.norm->program.tensor_named(name); };
  EXPECT_EQ(entry.level, 3);
  EXPECT_EQ(entry.origin, NF_GENERIC);
  EXPECT_EQ(entry.needs, bit("x") | bit("residual") | bit("gamma") | bit("y"));
  EXPECT_EQ(entry.takes, entry.needs);
  EXPECT_FALSE(entry.dense & bit("x"));
  EXPECT_TRUE(entry.rows & bit("x"));
  EXPECT_TRUE(entry.dense & bit("residual"));
  EXPECT_EQ(entry.in_place, bit("y"));
  EXPECT_EQ(entry.ranges[0].lo, 1);
  EXPECT_EQ(entry.ranges[0].hi, 8);
  EXPECT_EQ(entry.ranges[1].hi, 768);
}

TEST(FunctionTable, RequirementsInWords) {
  const FunctionTable table(parse_problem("batch_norm_train"));
  ASSERT_EQ(table.function().requirements, 1);
  const nf_requirement &requirement = table.function().requirement[0];
  EXPECT_STREQ(requirement.text, "unbiased < count(batch, space)");
  EXPECT_EQ(requirement.lhs.kind, NF_SCALAR_OF);
  EXPECT_EQ(requirement.rhs.axes, 0b101u);
}

TEST(FunctionTable, WhatMayBeInPlace) {
  const FunctionTable table(parse_problem("add_layer_norm x=bf16 residual=f32"));
  const Program &program = table.problem().norm->program;
  const nf_tensor &y = table.function().tensor[program.tensor_named("y")];
  EXPECT_EQ(y.in_place, uint64_t(1) << program.tensor_named("x"));
}

TEST(FunctionProblem, TakesWhatAnotherProblemLeavesOut) {
  const Problem function = function_problem(parse_problem("layer_norm x=bf16 gamma=f32 beta=f32"));
  EXPECT_TRUE(serves(function, parse_problem("layer_norm x=bf16 gamma=f32 beta=none")));
  EXPECT_TRUE(serves(function, parse_problem("layer_norm x=bf16 gamma=none beta=none cols=3")));
  EXPECT_FALSE(serves(function, parse_problem("layer_norm x=bf16 beta=none")));
  EXPECT_FALSE(serves(function, parse_problem("layer_norm beta=none gamma=none")));
}

} // namespace
} // namespace normforge
