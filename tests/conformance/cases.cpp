#include "tests/conformance/cases.h"

#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include "codegen/check/tolerance.h"
#include "dsl/error.h"

namespace normforge::testing {

std::vector<int64_t> Shape::of(const Norm &norm) const {
  const std::pair<const char *, int64_t> named[] = {{"rows", rows},   {"cols", cols},   {"batch", batch}, {"channel", channel},
                                                    {"space", space}, {"group", group}, {"sub", sub},     {"seq", seq}};
  std::vector<int64_t> extents;
  for (const Axis &axis : norm.program.axes)
    extents.push_back(std::ranges::find_if(named, [&](const auto &row) { return axis.name == row.first; })->second);
  return extents;
}

const std::vector<Shape> &shapes() {
  static const std::vector<Shape> table = {
      //           rows cols batch channel space group sub seq
      {"small", 5, 33, 3, 7, 35, 2, 3, 9},       {"ones", 1, 1, 2, 1, 1, 1, 1, 2},       {"round", 9, 768, 2, 64, 49, 4, 8, 16},
      {"long", 2, 4099, 2, 3, 2051, 3, 5, 1100}, {"wide", 3, 127, 2, 131, 5, 3, 43, 31}, {"empty", 0, 17, 0, 4, 6, 2, 2, 0},
  };
  return table;
}

const std::vector<Mix> &mixes() {
  static const std::vector<Mix> table = {
      {"f32", DType::f32, DType::f32, DType::f32, true},          {"bf16", DType::bf16, DType::bf16, DType::bf16, true},
      {"f16", DType::f16, DType::f16, DType::f16, false},         {"f64", DType::f64, DType::f64, DType::f64, false},
      {"bf16_f32", DType::bf16, DType::f32, DType::f16, false},   {"f32_f16", DType::f32, DType::f16, DType::bf16, false},
      {"bf16_f8", DType::bf16, DType::f32, DType::f8e4m3, false},
  };
  return table;
}

std::vector<CatalogueCase> catalogue_cases(const std::function<bool(const Shape &, const Mix &, size_t picked)> &brief) {
  const bool all = std::getenv("NORMFORGE_LONG");
  std::vector<CatalogueCase> cases;
  for (const NormRef &norm : catalogue())
    for (const Shape &shape : shapes())
      for (const Mix &mix : mixes())
        if (all || brief(shape, mix, cases.size()))
          cases.push_back({norm, &shape, &mix});
  return cases;
}

Problem problem_of(const NormRef &norm, const Mix &mix) {
  Problem problem = default_problem(norm);
  const Program &program = norm->program;
  bool first = true;
  for (size_t t = 0; t < program.tensors.size(); ++t) {
    const Tensor &tensor = program.tensors[t];
    if (tensor.role == Tensor::length || problem.dtypes[t] == DType::i8)
      continue;
    if (tensor.role != Tensor::output)
      problem.dtypes[t] = std::exchange(first, false) ? mix.first : mix.others;
    else
      problem.dtypes[t] = tensor.axes.size() == program.tensors[0].axes.size() ? mix.outputs
                          : mix.first == DType::f64                            ? DType::f64
                                                                               : DType::f32;
  }
  return problem;
}

Problem fixed(Problem problem, const std::vector<int64_t> &extents) {
  for (size_t i = 0; i < extents.size(); ++i)
    problem.extents[i] = {extents[i], extents[i]};
  return problem;
}

Problem in_place(Problem problem) {
  const Program &program = problem.norm->program;
  const auto bytes = [&](size_t t) { return info(*problem.dtypes[t]).bytes; };
  for (size_t t = 0; t < program.tensors.size() && problem.in_place.empty(); ++t)
    if (program.tensors[t].role == Tensor::output && problem.wants(int(t)) && bytes(t) == bytes(0) &&
        problem.layouts[t] == problem.layouts.front() && program.axes_of(program.tensors[t]) == program.axes_of(program.tensors.front()))
      problem.in_place.emplace_back(int(t), 0);
  return problem;
}

std::optional<std::map<std::string, ReferenceArray>> expected(const Problem &problem, const std::vector<int64_t> &extents,
                                                              const ReferenceInputs &inputs) {
  try {
    return evaluate(problem, extents, inputs);
  } catch (const UserError &error) {
    EXPECT_FALSE(problem.norm->program.requirements.empty()) << error.what();
    return std::nullopt;
  }
}

void expect_near(const Problem &problem, const KernelCall &call, const std::map<std::string, ReferenceArray> &reference) {
  for (const auto &[name, want] : reference) {
    const auto t = size_t(problem.norm->program.tensor_named(name));
    const Tolerance allowed = tolerance(problem, *problem.dtypes[t]);
    for (size_t i = 0; i < want.values.size(); ++i)
      ASSERT_TRUE(allowed.accepts(call.value(name, i), want.values[i]))
          << name << "[" << i << "]: " << call.value(name, i) << ", reference " << want.values[i];
  }
}

std::vector<const Target *> runnable_targets() {
  std::vector<const Target *> found;
  for (const Target &target : targets())
    if (target.backend == "x86" && runs_here(target))
      found.push_back(&target);
  return found;
}

} // namespace normforge::testing
