// What specialize() hands to backends: what is absent or unwanted is gone, `stored` is a cast, powers are products.
#include <gtest/gtest.h>

#include "tests/dialect/written_out.h"

namespace normforge::dialect {
namespace {

const std::string kShifted = "sub(x, first[cols](x))";
const std::string kMean = "div(sum[cols](" + kShifted + "), count[cols])";
const std::string kCentred = "sub(" + kShifted + ", " + kMean + ")";

TEST(Specialize, LayerNormSumsShiftedAndCentredValuesAndNothingElse) {
  const Specialized layer_norm = specialize(plain_problem(norm_of(kLayerNorm)));
  EXPECT_EQ(reductions(layer_norm.program),
            (std::multiset<std::string>{"sum[cols](" + kShifted + ")", "sum[cols](mul(" + kCentred + ", " + kCentred + "))"}));
  EXPECT_EQ(output(layer_norm.program, "mean"), "add(first[cols](x), " + kMean + ")");
  EXPECT_EQ(layer_norm.compute, DType::f32);
}

TEST(Specialize, AbsentInputsLeaveNoTrace) {
  Problem problem = plain_problem(norm_of(kLayerNorm));
  problem.dtypes[1] = problem.dtypes[2] = std::nullopt;
  const Specialized layer_norm = specialize(problem);
  const std::string y = output(layer_norm.program, "y");
  EXPECT_TRUE(y.starts_with("mul(" + kCentred + ", rsqrt(")) << y;
  EXPECT_EQ(y.find("gamma"), std::string::npos);
  EXPECT_EQ(layer_norm.program.tensors.size(), 6u) << "tensors keep their index";
}

TEST(Specialize, UnwantedOutputsGoAndTheOthersKeepTheirBits) {
  Problem problem = plain_problem(norm_of(kLayerNorm));
  const std::string mean = output(specialize(problem).program, "mean");
  problem.outputs = uint64_t(1) << 4;
  const Specialized alone = specialize(problem);
  EXPECT_EQ(output(alone.program, "y"), "none");
  EXPECT_EQ(output(alone.program, "mean"), mean);
  EXPECT_EQ(reductions(alone.program).size(), 1u);
}

TEST(Specialize, ComputesInF64WhereAnInputIs) {
  Problem problem = plain_problem(norm_of(kLayerNorm));
  problem.dtypes[3] = DType::f64; // an output does not matter
  EXPECT_EQ(specialize(problem).compute, DType::f32);
  problem.dtypes[1] = DType::f64;
  EXPECT_EQ(specialize(problem).compute, DType::f64);
}

TEST(Specialize, OnlyAnAbsentZeroIsNotAdded) {
  Problem problem = plain_problem(norm_of(R"(norm.func @f {
    norm.axis a of [0]
    norm.tensor input @x <a>
    norm.tensor input @shift <a> default 0.5
    norm.tensor input @bias <a> default 0.0
    norm.tensor output @y <a>
    norm.tensor output @z <a>
  } body {
    %x = norm.read @x : <a>
    %shift = norm.read @shift : <a>
    %bias = norm.read @bias : <a>
    %y = norm.add %shift, %x : <a>, <a>
    %z = norm.add %bias, %x : <a>, <a>
    norm.write %y to @y : <a>
    norm.write %z to @z : <a>
  })"));
  EXPECT_EQ(output(specialize(problem).program, "z"), "add(bias, x)");
  problem.dtypes[1] = problem.dtypes[2] = std::nullopt;
  EXPECT_EQ(output(specialize(problem).program, "y"), "add(x, 0.500000)");
  EXPECT_EQ(output(specialize(problem).program, "z"), "x");
}

constexpr std::string_view kStored = R"(
norm.func @stored {
  norm.axis rows of [0]
  norm.axis cols of [1]
  norm.tensor input @x <rows, cols>
  norm.tensor input @r <rows, cols>
  norm.tensor output @y <rows, cols>
  norm.tensor output @sum <rows, cols>
} body {
  %x = norm.read @x : <rows, cols>
  %r = norm.read @r : <rows, cols>
  %t = norm.add %x, %r : <rows, cols>, <rows, cols>
  %s = norm.stored %t as @sum : <rows, cols>
  %total = norm.sum %s over <cols> : <rows, cols> -> <rows>
  %n = norm.count <cols> : <>
  %m = norm.div %total, %n : <rows>, <>
  %y = norm.sub %s, %m : <rows, cols>, <rows>
  norm.write %y to @y : <rows, cols>
  norm.write %t to @sum : <rows, cols>
})";

TEST(Specialize, StoredRoundsToTheDtypeOfTheOutput) {
  Problem problem = plain_problem(norm_of(kStored));
  problem.dtypes[3] = DType::bf16;
  const Specialized narrow = specialize(problem);
  EXPECT_NE(output(narrow.program, "y").find("cast<bf16>(add(x, r))"), std::string::npos);
  EXPECT_EQ(output(narrow.program, "sum"), "add(x, r)");
  problem.dtypes[3] = DType::f32;
  EXPECT_EQ(output(specialize(problem).program, "y").find("cast"), std::string::npos);
}

TEST(Specialize, AnAverageWrittenAsSumOverCountIsCentredToo) {
  const Specialized stored = specialize(plain_problem(norm_of(kStored)));
  const std::string shifted = "sub(add(x, r), add(first[cols](x), first[cols](r)))";
  EXPECT_EQ(output(stored.program, "y"), "sub(" + shifted + ", div(sum[cols](" + shifted + "), count[cols]))");
}

constexpr std::string_view kPowers = R"(
norm.func @powers {
  norm.axis a of [0]
  norm.tensor input @x <a>
  norm.tensor output @cube <a>
  norm.tensor output @inverse <a>
  norm.tensor output @one <a>
} body {
  %x = norm.read @x : <a>
  %3 = norm.pow %x, 3 : <a>
  %4 = norm.pow %x, -2 : <a>
  %5 = norm.pow %x, 0 : <a>
  norm.write %3 to @cube : <a>
  norm.write %4 to @inverse : <a>
  norm.write %5 to @one : <a>
})";

TEST(Specialize, PowersAreProducts) {
  const Program program = specialize(plain_problem(norm_of(kPowers))).program;
  EXPECT_EQ(output(program, "cube"), "mul(mul(x, x), x)");
  EXPECT_EQ(output(program, "inverse"), "div(1.000000, mul(x, x))");
  EXPECT_EQ(output(program, "one"), "1.000000");
}

TEST(Specialize, TracesEveryPassByName) {
  std::vector<std::string> seen;
  TestContext test;
  specialize(plain_problem(norm_of(kLayerNorm)), [&](std::string_view pass, std::string_view text) {
    seen.emplace_back(pass);
    EXPECT_TRUE(test.parse(text)) << pass << test.errors;
  });
  EXPECT_EQ(seen, specialize_passes());
}

} // namespace
} // namespace normforge::dialect
