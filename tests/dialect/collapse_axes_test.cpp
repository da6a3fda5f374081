// Which axes are treated as one, and which keep apart so that nothing is added up in another order.
#include <gtest/gtest.h>

#include "tests/dialect/written_out.h"

namespace normforge::dialect {
namespace {

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

} // namespace
} // namespace normforge::dialect
