// How statistics are centred, however they are written; what only looks like one is left alone.
#include <gtest/gtest.h>

#include "tests/dialect/written_out.h"

namespace normforge::dialect {
namespace {

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

TEST(Centre, AveragesAreCentredHoweverTheyAreWritten) {
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

TEST(Centre, TheMeanOfSquaresLessTheSquaredMeanIsACentredVariance) {
  const std::string shifted = "sub(x, first[b](x))", centred = "sub(" + shifted + ", div(sum[b](" + shifted + "), count[b]))";
  EXPECT_EQ(specialized("%m = norm.avg %x over <b> : <a, b> -> <a> %q = norm.pow %x, 2 : <a, b>"
                        "%e = norm.avg %q over <b> : <a, b> -> <a> %p = norm.mul %m, %m : <a>, <a> %v = norm.sub %e, %p : <a>, <a>"
                        "%y = norm.mul %x, %v : <a, b>, <a>"),
            "mul(x, div(sum[b](mul(" + centred + ", " + centred + ")), count[b]))");
}

TEST(Centre, TheMeanOfMeansIsOneMean) {
  const std::string shifted = "sub(x, first[a,b](x))";
  EXPECT_EQ(specialized("%m = norm.avg %x over <b> : <a, b> -> <a> %n = norm.avg %m over <a> : <a> -> <>"
                        "%y = norm.sub %x, %n : <a, b>, <>"),
            "sub(" + shifted + ", div(sum[a,b](" + shifted + "), count[a,b]))");
}

TEST(Centre, WhatOnlyLooksLikeAStatisticIsLeftAlone) {
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

TEST(Centre, AveragesOfAveragesAreCentredOneByOne) {
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

TEST(Centre, PivotsAndCountsAvoidPadding) {
  const Program program = specialize(plain_problem(norm_of(kRagged))).program;
  const std::string count = "sum[batch,seq](1.000000)";
  const std::string average = "div(sum[batch,seq](x), " + count + ")";
  const std::string shifted = "sub(x, " + average + ")";
  EXPECT_EQ(output(program, "y"), "sub(" + shifted + ", div(sum[batch,seq](" + shifted + "), " + count + "))");
  EXPECT_EQ(output(program, "z"),
            "sub(sub(x, first[seq,channel](x)), div(sum[seq,channel](sub(x, first[seq,channel](x))), count[seq,channel]))");
}

TEST(Centre, RowsOfDifferentLengthHaveNoCommonMean) {
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

} // namespace
} // namespace normforge::dialect
