// Laws that hold for every kernel, whatever its schedule: a row's bits depend on the row alone; error does not grow with the mean;
// shifting, scaling and permuting do what the mathematics says.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "codegen/backend.h"
#include "codegen/check/kernel_call.h"
#include "tests/conformance/cases.h"

namespace normforge::testing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNaN = std::numeric_limits<double>::quiet_NaN();

// A kernel with what it was compiled from.
struct Compiled {
  Problem problem;
  Kernel kernel;
  LoadedKernel loaded;

  Compiled(const std::string &problem_text, const std::string &schedule = "", const Target &target = host_target())
      : problem(parse_problem(problem_text)), kernel(compile(problem, schedule, target)), loaded(kernel) {}

  static Kernel compile(const Problem &problem, const std::string &schedule, const Target &target) {
    const Backend &backend = backend_for(target);
    const SweepPlan plan = make_sweep_plan(problem);
    return backend.compile(plan, parse_schedule(schedule, backend.knobs(), backend.default_schedule(plan, target)), target, "kernel");
  }

  KernelCall run(const std::vector<int64_t> &extents, const ReferenceInputs &inputs, const CallOptions &options = {}) const {
    KernelCall call(problem, extents, inputs, options);
    call.run(kernel, loaded);
    return call;
  }
};

std::vector<double> values(const KernelCall &call, const std::string &tensor) {
  std::vector<double> list(call.size(tensor));
  for (size_t i = 0; i < list.size(); ++i)
    list[i] = call.value(tensor, i);
  return list;
}

// NaNs count as equal to each other.
bool same(const double *a, const double *b, size_t count) {
  return std::equal(a, a + count, b, [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

// Rows [begin, begin + count) of a row-major array.
ReferenceArray rows_of(const ReferenceArray &array, int64_t begin, int64_t count) {
  const int64_t width = int64_t(array.values.size()) / array.extents[0];
  return {{count, array.extents[1]}, {array.values.begin() + begin * width, array.values.begin() + (begin + count) * width}};
}

class RowNorms : public ::testing::TestWithParam<const char *> {};

// Each row alone, in a batch of every size up to past the rows knob, at every position and in every cut of the items.
TEST_P(RowNorms, ARowsBitsDoNotDependOnItsBatch) {
  constexpr int64_t kRows = 19;
  for (int64_t cols : {1, 31, 384, 1030}) {
    const std::string name = GetParam();
    const Compiled norm(name + " x=f32");
    const std::vector<int64_t> all{kRows, cols};
    const ReferenceInputs inputs = make_inputs(norm.problem, all, {.seed = 3});
    const std::vector<double> whole = values(norm.run(all, inputs), "y");
    for (const char *schedule : {"rows=1", "rows=2", "rows=4"}) {
      const Compiled other(name + " x=f32", schedule);
      EXPECT_TRUE(same(values(other.run(all, inputs, {.pieces = 5}), "y").data(), whole.data(), whole.size()))
          << schedule << " cols " << cols;
    }
    for (int64_t count : {1, 2, 3, 5, 8})
      for (int64_t begin = 0; begin + count <= kRows; begin += 3) {
        ReferenceInputs part = inputs;
        for (auto &[tensor, array] : part.tensors)
          if (array.extents.size() == 2)
            array = rows_of(array, begin, count);
        const std::vector<double> some = values(norm.run({count, cols}, part, {.padding = 5}), "y");
        EXPECT_TRUE(same(some.data(), whole.data() + begin * cols, some.size())) << "rows " << begin << "+" << count << " cols " << cols;
      }
  }
}

// A NaN or an infinity spoils its own row and leaves every bit of the others.
TEST_P(RowNorms, ANonFiniteValueSpoilsItsOwnRowAlone) {
  const std::vector<int64_t> extents{9, 771};
  const Compiled norm(std::string(GetParam()) + " x=f32");
  const ReferenceInputs clean = make_inputs(norm.problem, extents, {.seed = 5});
  const std::vector<double> before = values(norm.run(extents, clean), "y");
  for (double poison : {kNaN, kInfinity, -kInfinity})
    for (int64_t at : {0, 5, 31, 32, 767, 770}) {
      constexpr int64_t kRow = 4;
      ReferenceInputs dirty = clean;
      dirty.tensors["x"].values[size_t(kRow * 771 + at)] = poison;
      const std::vector<double> after = values(norm.run(extents, dirty), "y");
      for (size_t i = 0; i < after.size(); ++i)
        if (int64_t(i) / 771 != kRow)
          ASSERT_EQ(after[i], before[i]) << poison << " at " << at;
      if (std::isnan(poison))
        EXPECT_TRUE(std::any_of(after.begin() + kRow * 771, after.begin() + (kRow + 1) * 771, [](double v) { return std::isnan(v); }));
    }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, RowNorms,
                         ::testing::Values("layer_norm", "layer_norm_std", "rms_norm", "rms_norm_gemma", "rms_norm_gated", "add_layer_norm",
                                           "add_rms_norm", "l2_normalize", "l1_normalize", "softmax", "log_softmax"),
                         [](const auto &info) { return info.param; });

// Rows of N(mu, 1), mu up to 1e6, stay within 2e-6 max(1, |y|) of the f64 result.
TEST(Accuracy, ErrorDoesNotGrowWithTheMean) {
  for (const auto &[norm, schedule] : std::vector<std::pair<std::string, std::string>>{{"layer_norm", ""},
                                                                                       {"add_layer_norm", ""},
                                                                                       {"layer_norm_std", ""},
                                                                                       {"layer_norm", "chunked"},
                                                                                       {"add_layer_norm", "chunked chunk=128"}})
    for (int64_t cols : {7, 768, 4096, 65537})
      for (double mean : {0.0, 1.0, 1e3, -1e5, 1e6}) {
        const Compiled compiled(norm + " x=f32", schedule);
        const std::vector<int64_t> extents{3, cols};
        const ReferenceInputs inputs = make_inputs(compiled.problem, extents, {.seed = 11, .mean = mean});
        const KernelCall call = compiled.run(extents, inputs);
        const std::vector<double> want = evaluate(compiled.problem, extents, inputs).at("y").values;
        double worst = 0;
        for (size_t i = 0; i < want.size(); ++i)
          worst = std::max(worst, std::fabs(call.value("y", i) - want[i]) / std::max(1.0, std::fabs(want[i])));
        EXPECT_LE(worst, 2e-6) << norm << schedule << " cols " << cols << " mean " << mean;
      }
}

TEST(Accuracy, AConstantRowGivesExactlyBeta) {
  for (double constant : {0.0, 1e-30, -3.7, 1e6, 3e18})
    for (const auto &[cols, schedule] : std::vector<std::pair<int64_t, const char *>>{
             {1, ""}, {33, ""}, {768, ""}, {5000, ""}, {1, "chunked"}, {33, "chunked"}, {768, "chunked"}, {5000, "chunked"}}) {
      const Compiled norm("layer_norm x=f32", schedule);
      const std::vector<int64_t> extents{2, cols};
      ReferenceInputs inputs = make_inputs(norm.problem, extents, {.seed = 2});
      for (double &x : inputs.tensors["x"].values)
        x = round_to(DType::f32, constant);
      const KernelCall call = norm.run(extents, inputs);
      for (size_t i = 0; i < size_t(2 * cols); ++i)
        ASSERT_EQ(call.value("y", i), inputs.tensors["beta"].values[i % size_t(cols)]) << constant << " cols " << cols;
    }
}

// Scaling by a power of two is exact in every step, so the law holds bit for bit when eps is scaled along.
TEST(Laws, ScalingByAPowerOfTwoChangesNoBit) {
  const Compiled norm("layer_norm x=f32");
  const std::vector<int64_t> extents{4, 1000};
  ReferenceInputs inputs = make_inputs(norm.problem, extents, {.seed = 9, .mean = 3});
  inputs.scalars["eps"] = 0x1p-10;
  const std::vector<double> plain = values(norm.run(extents, inputs), "y");
  for (double &x : inputs.tensors["x"].values)
    x *= 0x1p7;
  inputs.scalars["eps"] = 0x1p-10 * 0x1p14;
  EXPECT_EQ(values(norm.run(extents, inputs), "y"), plain);
}

// A shift that is exact in f32 (small integers) leaves the centred values, and with them every bit of y.
class Algorithms : public ::testing::TestWithParam<const char *> {};

TEST_P(Algorithms, AnExactShiftChangesNoBit) {
  const Compiled norm("layer_norm x=f32", GetParam());
  const std::vector<int64_t> extents{4, 1000};
  ReferenceInputs inputs = make_inputs(norm.problem, extents, {.seed = 9});
  for (double &x : inputs.tensors["x"].values)
    x = std::round(x * 64);
  const std::vector<double> plain = values(norm.run(extents, inputs), "y");
  for (double &x : inputs.tensors["x"].values)
    x += 4096;
  EXPECT_EQ(values(norm.run(extents, inputs), "y"), plain);
}

INSTANTIATE_TEST_SUITE_P(Laws, Algorithms, ::testing::Values("two_pass", "chunked chunk=128"));

// Permuting the reduced axis along with its parameters permutes y, up to the rounding of differently ordered sums.
TEST(Laws, PermutingTheReducedAxisPermutesTheResult) {
  for (const char *name : {"layer_norm", "rms_norm", "softmax"}) {
    const Compiled norm(std::string(name) + " x=f32");
    const std::vector<int64_t> extents{2, 900};
    const ReferenceInputs inputs = make_inputs(norm.problem, extents, {.seed = 21});
    std::vector<size_t> order(900);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(1));
    ReferenceInputs permuted = inputs;
    for (auto &[tensor, array] : permuted.tensors)
      for (size_t i = 0; i < array.values.size(); ++i)
        array.values[i] = inputs.tensors.at(tensor).values[i / 900 * 900 + order[i % 900]];
    const KernelCall plain = norm.run(extents, inputs), other = norm.run(extents, permuted);
    for (size_t i = 0; i < 1800; ++i)
      ASSERT_NEAR(other.value("y", i), plain.value("y", i / 900 * 900 + order[i % 900]), 2e-6) << name;
  }
}

// In place, on every level, for the pairs that people use.
TEST(InPlace, GivesTheBitsOfSeparateBuffers) {
  const char *problems[][2] = {{"layer_norm x=f32 outputs=y", "y:x"},       {"softmax x=bf16", "y:x"},
                               {"add_rms_norm x=bf16", "sum:residual,y:x"}, {"rms_norm_gated x=f32 outputs=y", "y:z"},
                               {"group_norm x=f32 outputs=y", "y:x"},       {"batch_norm_infer x=f32", "y:x"},
                               {"layer_norm_monitored x=f32", "y:x"}};
  for (const auto &[text, pairs] : problems)
    for (const Target *target : runnable_targets()) {
      const Compiled apart(text, "", *target), together(std::string(text) + " inplace=" + pairs, "", *target);
      const std::vector<int64_t> extents = shapes()[2].of(*apart.problem.norm);
      const ReferenceInputs inputs = make_inputs(apart.problem, extents, {.seed = 4});
      EXPECT_TRUE(apart.run(extents, inputs).output_bits() == together.run(extents, inputs).output_bits()) << text << " " << pairs;
    }
}

// Element alignment suffices: buffers that end, and that start, at a page give every misalignment as the extent varies.
TEST(Alignment, ChangesNoBit) {
  for (const char *text : {"layer_norm x=f32 strides=x:rows,y:rows", "softmax x=bf16 strides=x:rows,y:rows"}) {
    const Compiled norm(text), stream(text, "store=stream");
    for (int64_t cols : {63, 64, 65, 127, 800}) {
      const std::vector<int64_t> extents{4, cols};
      const ReferenceInputs inputs = make_inputs(norm.problem, extents, {.seed = 8});
      const std::string bits = norm.run(extents, inputs).output_bits();
      for (int64_t padding = 0; padding < 17; ++padding)
        for (Guarded::Side side : {Guarded::at_start, Guarded::at_end}) {
          EXPECT_TRUE(norm.run(extents, inputs, {.side = side, .padding = padding}).output_bits() == bits)
              << text << cols << "+" << padding;
          EXPECT_TRUE(stream.run(extents, inputs, {.side = side, .padding = padding}).output_bits() == bits)
              << text << cols << "+" << padding << " stream";
        }
    }
  }
}

} // namespace
} // namespace normforge::testing
