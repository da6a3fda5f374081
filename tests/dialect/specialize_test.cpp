// What each rewrite does to a norm, and what specialize() hands to backends.
#include <gtest/gtest.h>

#include <set>

#include "dsl/error.h"
#include "tests/dialect/support.h"

namespace normforge::dialect {
namespace {

bool contains(const std::string &text, std::string_view part) { return text.find(part) != std::string::npos; }

/// A node written out: `sum[cols](sub(x, first[cols](x)))`.
std::string expression(const Program &program, NodeId id) {
  const Node &node = program.node(id);
  if (node.op == Op::tensor)
    return program.tensors[size_t(node.symbol)].name;
  if (node.op == Op::scalar)
    return program.scalars[size_t(node.symbol)].name;
  std::string text(info(node.op).name);
  if (node.op == Op::constant)
    text = std::to_string(node.value);
  if (node.op == Op::cast)
    text += "<" + std::string(name(node.dtype)) + ">";
  for (int axis = 0, n = 0; axis < int(program.axes.size()); ++axis)
    if (node.over & axis_bit(axis))
      text += (n++ ? "," : "[") + program.axes[size_t(axis)].name;
  if (node.over)
    text += "]";
  for (int i = 0; i < info(node.op).operands; ++i)
    text += (i ? ", " : "(") + expression(program, node.operands[size_t(i)]);
  return info(node.op).operands ? text + ")" : text;
}

std::string output(const Program &program, std::string_view tensor) {
  for (const Output &output : program.outputs)
    if (program.tensors[size_t(output.tensor)].name == tensor)
      return expression(program, output.node);
  return "none";
}

std::multiset<std::string> reductions(const Program &program) {
  std::multiset<std::string> found;
  for (NodeId id = 0; id < NodeId(program.nodes.size()); ++id)
    if (is_reduction(program.node(id).op))
      found.insert(expression(program, id));
  return found;
}

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
  EXPECT_TRUE(contains(output(narrow.program, "y"), "cast<bf16>(add(x, r))"));
  EXPECT_EQ(output(narrow.program, "sum"), "add(x, r)");
  problem.dtypes[3] = DType::f32;
  EXPECT_FALSE(contains(output(specialize(problem).program, "y"), "cast"));
}

TEST(Specialize, AnAverageWrittenAsSumOverCountIsCentredToo) {
  const Specialized stored = specialize(plain_problem(norm_of(kStored)));
  const std::string shifted = "sub(add(x, r), add(first[cols](x), first[cols](r)))";
  EXPECT_EQ(output(stored.program, "y"), "sub(" + shifted + ", div(sum[cols](" + shifted + "), count[cols]))");
}

/// The output y of a norm over x[a, b] whose body is `lines`.
std::string specialized(std::string_view lines) {
  return output(specialize(plain_problem(norm_of(R"(norm.func @f {
    norm.axis a of [0]
    norm.axis b of [1]
    norm.tensor input @x <a, b>
    norm.tensor output @y <a, b>
  } body {
    %x = norm.read @x : <a, b>
    )" + std::string(lines) + "norm.write %y to @y : <a, b> }")))
                    .program,
                "y");
}

TEST(Specialize, AveragesAreCentredHoweverTheyAreWritten) {
  const std::string shifted = "sub(x, first[b](x))", average = "div(sum[b](" + shifted + "), count[b])";
  const std::string centred = "sub(" + shifted + ", " + average + ")";
  const std::string mean = "%m = norm.avg %x over <b> : <a, b> -> <a>\n";
  EXPECT_EQ(specialized(mean + "%y = norm.sub %x, %m : <a, b>, <a>"), centred);
  EXPECT_EQ(specialized(mean + "%y = norm.sub %m, %x : <a>, <a, b>"), "sub(" + average + ", " + shifted + ")");
  EXPECT_EQ(specialized(mean + "%n = norm.neg %m : <a> %y = norm.add %n, %x : <a>, <a, b>"), centred);
  EXPECT_EQ(specialized("%s = norm.sum %x over <b> : <a, b> -> <a> %c = norm.count <b> : <> %m = norm.div %s, %c : <a>, <>"
                        "%y = norm.sub %x, %m : <a, b>, <a>"),
            centred);
  // An average of something else is left alone.
  EXPECT_EQ(specialized("%z = norm.abs %x : <a, b> %m = norm.avg %z over <b> : <a, b> -> <a> %y = norm.sub %x, %m : <a, b>, <a>"),
            "sub(x, div(sum[b](abs(x)), count[b]))");
}

TEST(Specialize, TheMeanOfSquaresLessTheSquaredMeanIsACentredVariance) {
  const std::string shifted = "sub(x, first[b](x))", centred = "sub(" + shifted + ", div(sum[b](" + shifted + "), count[b]))";
  EXPECT_EQ(specialized("%m = norm.avg %x over <b> : <a, b> -> <a> %q = norm.pow %x, 2 : <a, b>"
                        "%e = norm.avg %q over <b> : <a, b> -> <a> %p = norm.mul %m, %m : <a>, <a> %v = norm.sub %e, %p : <a>, <a>"
                        "%y = norm.mul %x, %v : <a, b>, <a>"),
            "mul(x, div(sum[b](mul(" + centred + ", " + centred + ")), count[b]))");
}

TEST(Specialize, TheMeanOfMeansIsOneMean) {
  const std::string shifted = "sub(x, first[a,b](x))";
  EXPECT_EQ(specialized("%m = norm.avg %x over <b> : <a, b> -> <a> %n = norm.avg %m over <a> : <a> -> <>"
                        "%y = norm.sub %x, %n : <a, b>, <>"),
            "sub(" + shifted + ", div(sum[a,b](" + shifted + "), count[a,b]))");
}

TEST(Specialize, WhatOnlyLooksLikeAStatisticIsLeftAlone) {
  const std::string total = "div(sum[a](div(sum[b](x), count[b])), count[a])";
  EXPECT_EQ(specialized("%m = norm.avg %x over <b> : <a, b> -> <a> %n = norm.avg %m over <a> : <a> -> <>"
                        "%o = norm.sub %x, %n : <a, b>, <> %y = norm.mul %o, %m : <a, b>, <a>"),
            "mul(sub(x, " + total + "), div(sum[b](x), count[b]))")
      << "the inner mean is needed anyway";
  EXPECT_EQ(specialized("%z = norm.abs %x : <a, b> %m = norm.avg %z over <b> : <a, b> -> <a> %q = norm.pow %x, 2 : <a, b>"
                        "%e = norm.avg %q over <b> : <a, b> -> <a> %p = norm.mul %m, %m : <a>, <a> %v = norm.sub %e, %p : <a>, <a>"
                        "%y = norm.mul %x, %v : <a, b>, <a>"),
            "mul(x, sub(div(sum[b](mul(x, x)), count[b]), mul(div(sum[b](abs(x)), count[b]), div(sum[b](abs(x)), count[b]))))");
}

TEST(Specialize, AveragesOfAveragesAreCentredOneByOne) {
  const std::string inner = "sub(sub(x, first[b](x)), div(sum[b](sub(x, first[b](x))), count[b]))";
  const std::string y = specialized("%m = norm.avg %x over <b> : <a, b> -> <a> %c = norm.sub %x, %m : <a, b>, <a>"
                                    "%n = norm.avg %c over <a> : <a, b> -> <b> %y = norm.sub %c, %n : <a, b>, <b>");
  EXPECT_TRUE(y.starts_with("sub(sub(" + inner + ", sub(sub(first[a](x), first[a](first[b](x)))")) << y;
}

constexpr std::string_view kRagged = R"(
norm.func @ragged {
  norm.axis batch of [0]
  norm.axis seq below @length of [1]
  norm.axis channel of [2]
  norm.tensor input @x <batch, seq, channel>
  norm.tensor length @length <batch>
  norm.tensor output @y <batch, seq, channel>
  norm.tensor output @z <batch, seq, channel>
} body {
  %x = norm.read @x : <batch, seq, channel>
  %m = norm.avg %x over <batch, seq> : <batch, seq, channel> -> <channel>
  %y = norm.sub %x, %m : <batch, seq, channel>, <channel>
  %n = norm.avg %x over <seq, channel> : <batch, seq, channel> -> <batch>
  %z = norm.sub %x, %n : <batch, seq, channel>, <batch>
  norm.write %y to @y : <batch, seq, channel>
  norm.write %z to @z : <batch, seq, channel>
})";

TEST(Specialize, PivotsAndCountsAvoidPadding) {
  const Program program = specialize(plain_problem(norm_of(kRagged))).program;
  const std::string count = "sum[batch,seq](1.000000)";
  const std::string average = "div(sum[batch,seq](x), " + count + ")";
  const std::string shifted = "sub(x, " + average + ")";
  EXPECT_EQ(output(program, "y"), "sub(" + shifted + ", div(sum[batch,seq](" + shifted + "), " + count + "))");
  EXPECT_EQ(output(program, "z"),
            "sub(sub(x, first[seq,channel](x)), div(sum[seq,channel](sub(x, first[seq,channel](x))), count[seq,channel]))");
}

TEST(Specialize, RowsOfDifferentLengthHaveNoCommonMean) {
  const Program program = specialize(plain_problem(norm_of(R"(norm.func @f {
    norm.axis a of [0]
    norm.axis b below @length of [1]
    norm.tensor input @x <a, b>
    norm.tensor length @length <a>
    norm.tensor output @y <>
  } body {
    %x = norm.read @x : <a, b>
    %m = norm.avg %x over <b> : <a, b> -> <a>
    %y = norm.avg %m over <a> : <a> -> <>
    norm.write %y to @y : <>
  })")))
                              .program;
  EXPECT_EQ(output(program, "y"), "div(sum[a](div(sum[b](x), count[b])), count[a])");
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

constexpr std::string_view kChannels = R"(
norm.func @channels {
  norm.axis batch of [0]
  norm.axis channel of [1]
  norm.axis space pack of [2]
  norm.tensor input @x <batch, channel, space>
  norm.tensor input @gamma <channel> default 1.0
  norm.tensor output @y <batch, channel, space>
} body {
  %x = norm.read @x : <batch, channel, space>
  %m = norm.max %x over <channel> : <batch, channel, space> -> <batch, space>
  %d = norm.sub %x, %m : <batch, channel, space>, <batch, space>
  %g = norm.read @gamma : <channel>
  %y = norm.mul %d, %g : <batch, channel, space>, <channel>
  norm.write %y to @y : <batch, channel, space>
})";

TEST(CollapseAxes, KeptNeighboursMergeInMemoryOrder) {
  Problem problem = plain_problem(norm_of(kChannels));
  EXPECT_EQ(specialize(problem).program.axes.size(), 3u) << "channel stands between batch and space";
  problem.order = {0, 2, 1};
  problem.extents = {{1, 64}, {8, 8}, {49, 49}};
  const Specialized merged = specialize(problem);
  ASSERT_EQ(merged.axes.size(), 2u);
  EXPECT_EQ(merged.program.axes[0].name, "batch*space");
  EXPECT_EQ(merged.axes[0].parts, (std::vector{0, 2}));
  EXPECT_EQ(merged.axes[0].extent, (Extent{49, 64 * 49}));
  EXPECT_EQ(merged.axes[1].parts, (std::vector{1}));
  EXPECT_EQ(merged.program.tensors[0].axes, (std::vector{0, 1}));
  EXPECT_EQ(merged.program.tensors[1].axes, (std::vector{1}));
  EXPECT_EQ(output(merged.program, "y"), "mul(sub(x, max[channel](x)), gamma)");
}

TEST(CollapseAxes, StridesForbidMerging) {
  Problem problem = plain_problem(norm_of(kChannels));
  problem.order = {0, 2, 1};
  problem.layouts[0] = Layout::rows;
  const Specialized apart = specialize(problem);
  EXPECT_EQ(apart.axes.size(), 3u);
  EXPECT_EQ(apart.axes[1].parts, (std::vector{2}));
}

TEST(CollapseAxes, AxesOfExtentOneGoWhereTheOrderOfAddingStays) {
  Problem problem = plain_problem(norm_of(kChannels));
  problem.extents[0] = problem.extents[1] = {1, 1};
  EXPECT_EQ(specialize(problem).axes.size(), 2u) << "batch goes, channel is all that is reduced";
  problem.extents = {{}, {}, {1, 1}};
  EXPECT_EQ(specialize(problem).axes.size(), 3u) << "lanes would run along channel, which a kernel for any space adds up one by one";
  problem.order = {0, 2, 1};
  EXPECT_EQ(specialize(problem).axes.size(), 2u);

  Problem batch = plain_problem(norm_of(R"(norm.func @f {
    norm.axis batch of [0]
    norm.axis channel of [1]
    norm.axis space pack of [2]
    norm.tensor input @x <batch, channel, space>
    norm.tensor output @y <channel>
  } body {
    %x = norm.read @x : <batch, channel, space>
    %y = norm.sum %x over <batch, space> : <batch, channel, space> -> <channel>
    norm.write %y to @y : <channel>
  })"));
  batch.extents[2] = {1, 1};
  batch.layouts[0] = Layout::rows;
  const Specialized flat = specialize(batch);
  ASSERT_EQ(flat.axes.size(), 2u);
  EXPECT_EQ(flat.axes[1].parts, (std::vector{1}));
  EXPECT_EQ(output(flat.program, "y"), "sum[batch](x)");
  EXPECT_EQ(flat.layouts[0], Layout::any) << "only the stride of space was known";
  EXPECT_EQ(flat.layouts[1], Layout::dense);
}

TEST(CollapseAxes, RaggedAxesStandAlone) {
  const Specialized ragged = specialize(plain_problem(norm_of(R"(norm.func @f {
    norm.axis a of [0]
    norm.axis b below @length of [1]
    norm.axis c of [2]
    norm.tensor input @x <a, b, c>
    norm.tensor length @length <>
    norm.tensor output @y <a, b, c>
  } body {
    %x = norm.read @x : <a, b, c>
    norm.write %x to @y : <a, b, c>
  })")));
  EXPECT_EQ(ragged.axes.size(), 3u);
  EXPECT_EQ(ragged.program.axes[1].length, 1);
}

TEST(CollapseAxes, ExtentsSaturate) {
  Problem problem = plain_problem(norm_of(kChannels));
  problem.order = {0, 2, 1};
  problem.extents[0] = problem.extents[2] = {int64_t(1) << 40, int64_t(1) << 50};
  EXPECT_EQ(specialize(problem).axes[0].extent, (Extent{std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::max()}));
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
