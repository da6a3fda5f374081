// Which kernel serves a call never changes a bit. A library with kernels for problems of their own and one with generic kernels alone are
// linked into shared objects, loaded, and called with the same data on every level; results are also held against the reference evaluator.
#include <cmath>
#include <gtest/gtest.h>

#include "dsl/reference.h"
#include "runtime/cpu.h"
#include "tests/package/loaded_library.h"

namespace normforge {
namespace {

using testing::Call;
using testing::LoadedLibrary;

struct Case {
  const char *specialised, *generic; ///< problem lines of the two libraries
  std::vector<int64_t> extents;
};

void PrintTo(const Case &tried, std::ostream *out) { *out << tried.specialised; }

class Bits : public ::testing::TestWithParam<Case> {};

TEST_P(Bits, SameOnEveryLevelAndFromEveryKernel) {
  const Problem problem = parse_problem(GetParam().specialised);
  const auto load = [](const std::string &name, const std::string &problems) {
    const Library library =
        make_library(parse_problems(problems, "problems.txt"), {.name = name, .targets = parse_targets("x86-64-v2,x86-64-v3,x86-64-v4")});
    return LoadedLibrary(name, library.files[0].bytes);
  };
  const LoadedLibrary specialised = load("specialised", GetParam().specialised), generic = load("generic", GetParam().generic);
  const Call pristine(problem, GetParam().extents);
  const std::string function = pristine.table.function().name;
  const int best = nf_cpu_level();
  const bool fma = backend_for(host_target()).default_schedule(make_sweep_plan(problem), find_target("x86-64-v4")).numerics.fma;
  std::vector<std::string> with_fma, without;
  for (int level = 2; level <= best; ++level)
    for (const LoadedLibrary *library : {&specialised, &generic}) {
      Call call(problem, GetParam().extents);
      library->force_level(level);
      EXPECT_EQ(library->which(function, call.bytes.data()).problem == to_text(problem), library == &specialised);
      ASSERT_EQ(library->call(function, call.bytes.data()), NF_OK);
      std::vector<std::string> &same = fma && level >= 3 ? with_fma : without;
      if (same.empty())
        same = call.data;
      EXPECT_TRUE(same == call.data) << "level " << level << (library == &generic ? ", generic" : "");
    }

  // Against the definition, by the last level's results.
  const Program &program = problem.norm->program;
  ReferenceInputs inputs;
  const auto shape = [&](size_t t) {
    ReferenceArray array;
    for (int axis : program.tensors[t].axes)
      array.extents.push_back(GetParam().extents[size_t(axis)]);
    return array;
  };
  for (size_t t = 0; t < program.tensors.size(); ++t)
    if (program.tensors[t].role != Tensor::output && problem.dtypes[t]) {
      ReferenceArray array = shape(t);
      for (size_t i = 0; i < pristine.count(t); ++i)
        array.values.push_back(load_element(*problem.dtypes[t], pristine.data[t].data(), i));
      inputs.tensors[program.tensors[t].name] = std::move(array);
    }
  const auto expected = evaluate(problem, GetParam().extents, inputs);
  const std::vector<std::string> &got = with_fma.empty() ? without : with_fma;
  for (size_t t = 0; t < program.tensors.size(); ++t)
    if (program.tensors[t].role == Tensor::output && problem.wants(int(t)))
      for (size_t i = 0; i < pristine.count(t); ++i) {
        const double want = expected.at(program.tensors[t].name).values[i], value = load_element(*problem.dtypes[t], got[t].data(), i);
        ASSERT_NEAR(value, want, (problem.dtypes[t] == DType::f32 ? 3e-6 : 8e-3) * std::max(1.0, std::abs(want)))
            << program.tensors[t].name << " " << i;
      }
}

// Memory orders here are the declared ones, in which the reference evaluator keeps its arrays.
INSTANTIATE_TEST_SUITE_P(
    Package, Bits,
    ::testing::Values(Case{"layer_norm rows=1..64 cols=1000", "layer_norm cols=1", {5, 1000}},
                      Case{"layer_norm cols=37 beta=none outputs=y", "layer_norm cols=1", {3, 37}},
                      Case{"softmax cols=1..300", "softmax rows=1000", {4, 131}},
                      Case{"rms_norm x=bf16 cols=128 outputs=y", "rms_norm x=bf16 rows=77", {9, 128}},
                      Case{"group_norm group=2 sub=3 space=7 gamma=none beta=none", "group_norm batch=99", {2, 2, 3, 7}},
                      Case{"instance_norm space=49", "instance_norm batch=99", {2, 3, 49}}));

} // namespace
} // namespace normforge
