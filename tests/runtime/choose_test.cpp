// Which kernel serves a call, by level, tensors, ranges, layout, in-place pairs and workspace; what a kernel is handed; and what nf_which()
// says.
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "runtime/cpu.h"
#include "tests/runtime/sample.h"

namespace normforge::testing {
namespace {

nf_kernel_args seen;
void see(const nf_kernel_args *args, int64_t, int64_t) { seen = *args; }

/// x[rows, cols] -> y, mean[rows]; gamma[cols] optional. One tuned kernel that a test narrows, before a generic one.
struct ChooseTest : ::testing::Test {
  ChooseTest() {
    sample.tensors[size_t(y)].in_place = bit(x);
    tuned = &sample.add_kernel("tuned", see, {.outer = 1, .tiled = 0, .tile = 1, .times = 1});
    tuned->origin = NF_TUNED;
    sample.add_kernel("generic", see, {.outer = 1, .tiled = 0, .tile = 1, .times = 1});
    sample.set_pointer(gamma, nullptr);
  }
  static uint64_t bit(int tensor) { return uint64_t(1) << tensor; }

  void expect_tuned(const nf_options *options = nullptr) {
    const nf_choice choice = sample.which(options);
    ASSERT_NE(choice.problem, nullptr) << choice.why;
    EXPECT_STREQ(choice.problem, "tuned");
    EXPECT_EQ(choice.origin, NF_TUNED);
    EXPECT_EQ(std::string(choice.why).rfind("tuned: ", 0), 0u);
  }
  void expect_generic(const std::string &why, const nf_options *options = nullptr) {
    const nf_choice choice = sample.which(options);
    ASSERT_NE(choice.problem, nullptr) << choice.why;
    EXPECT_STREQ(choice.problem, "generic");
    EXPECT_EQ(choice.why, "generic: no specialized kernel " + why);
  }

  Sample sample;
  float xs[64], ys[64], gammas[8], means[8];
  int rows = sample.add_axis("rows", 4), cols = sample.add_axis("cols", 8);
  int x = sample.add_tensor("x", NF_INPUT, NF_F32, {rows, cols}, xs);
  int gamma = sample.add_tensor("gamma", NF_INPUT, NF_F32, {cols}, gammas, true);
  int y = sample.add_tensor("y", NF_OUTPUT, NF_F32, {rows, cols}, ys);
  int mean = sample.add_tensor("mean", NF_OUTPUT, NF_F32, {rows}, means);
  nf_kernel *tuned;
};

TEST_F(ChooseTest, TheFirstThatFits) { expect_tuned(); }

TEST_F(ChooseTest, Ranges) {
  tuned->ranges[cols] = {8, 8};
  expect_tuned();
  sample.set_extent(cols, 7);
  expect_generic("for cols=7; the nearest serves 8");
  tuned->ranges[cols] = {8, 64};
  expect_generic("for cols=7; the nearest serves 8..64");
  tuned->ranges[cols] = {8, INT64_MAX};
  expect_generic("for cols=7; the nearest serves 8 and more");
}

TEST_F(ChooseTest, Tensors) {
  tuned->takes = bit(x) | bit(y);
  expect_generic("with mean");
  sample.set_pointer(mean, nullptr);
  expect_tuned();
  tuned->needs = bit(x) | bit(gamma) | bit(y);
  tuned->takes = tuned->needs;
  expect_generic("without gamma");
  sample.set_pointer(gamma, gammas);
  expect_tuned();
}

TEST_F(ChooseTest, Layouts) {
  tuned->dense = tuned->rows = bit(x) | bit(y) | bit(gamma);
  expect_tuned();
  sample.set_stride(x, 0, 8);
  expect_tuned(); // says what dense is
  sample.set_stride(x, 0, 9);
  expect_generic("for x with strides that aren't dense");
  sample.set_stride(x, 0, -8);
  sample.set_pointer(x, xs + 24);
  expect_generic("for x with strides that aren't dense");
  tuned->dense = 0;
  expect_tuned();
  sample.set_extent(rows, 2);
  sample.set_stride(y, 1, 2);
  expect_generic("for y with a stride between neighbours");
  tuned->rows = 0;
  expect_tuned();
}

TEST_F(ChooseTest, InPlace) {
  tuned->in_place = bit(y);
  expect_generic("unless y is in place");
  sample.set_pointer(y, xs);
  expect_tuned();
}

TEST_F(ChooseTest, Workspace) {
  const nf_buffer buffers[] = {
      {.count = {.outer = 1u << rows, .tiled = 1u << cols, .tile = 3, .times = 1}, .bytes = 10}, // 4 * 3 * 10 = 120 -> 128
      {.count = {.outer = 0, .tiled = 0, .tile = 1, .times = 5}, .bytes = 8}};                   // 40 -> 64
  tuned->buffers = 2;
  tuned->buffer = buffers;
  int64_t bytes = 0;
  EXPECT_EQ(nf_workspace_bytes(sample.function(), sample.args(), &bytes), NF_OK);
  EXPECT_EQ(bytes, 128 + 64 + 63);
  expect_generic("without a workspace of 255 bytes");
  std::vector<char> workspace(size_t(bytes) + 64);
  nf_options options{};
  options.workspace_bytes = bytes - 1;
  options.workspace = workspace.data();
  expect_generic("without a workspace of 255 bytes", &options);
  options.workspace_bytes = bytes;
  expect_tuned(&options);
  for (int shift = 0; shift < 64; ++shift) {
    options.workspace = workspace.data() + shift;
    EXPECT_EQ(sample.call(&options), NF_OK);
    const auto first = std::bit_cast<uintptr_t>(seen.buffers[0]), second = std::bit_cast<uintptr_t>(seen.buffers[1]);
    EXPECT_EQ(first % 64, 0u);
    EXPECT_GE(first, std::bit_cast<uintptr_t>(options.workspace));
    EXPECT_EQ(second, first + 128);
    EXPECT_LE(second + 8, std::bit_cast<uintptr_t>(options.workspace) + uintptr_t(bytes));
  }
  options.workspace = xs + 31;
  EXPECT_EQ(sample.call(&options), NF_OVERLAP);
  EXPECT_NE(std::string(sample.which(&options).why).find(": x and the workspace"), std::string::npos);
  sample.kernels.pop_back();
  EXPECT_EQ(sample.call(), NF_WORKSPACE_NEEDED);
  EXPECT_STREQ(sample.which().why, "no kernel without a workspace of 255 bytes");
}

TEST_F(ChooseTest, Level) {
  tuned->level = 4;
  ASSERT_EQ(nf_force_level(2), NF_OK);
  expect_generic("for x86-64-v2, the level in force; the nearest wants v4");
  sample.kernels.pop_back();
  EXPECT_EQ(sample.call(), NF_NO_KERNEL);
  EXPECT_STREQ(sample.which().why, "no kernel for x86-64-v2, the level in force; the nearest wants v4");
  ASSERT_EQ(nf_force_level(0), NF_OK);
  EXPECT_EQ(nf_level(), nf_cpu_level());
  EXPECT_EQ(sample.call(), nf_cpu_level() == 4 ? NF_OK : NF_NO_KERNEL);
  for (const int level : {-1, 1, 5, nf_cpu_level() + 1}) {
    EXPECT_EQ(nf_force_level(level), NF_LEVEL_UNSUPPORTED);
    EXPECT_EQ(nf_level(), nf_cpu_level());
  }
}

TEST_F(ChooseTest, WithoutKernels) {
  sample.kernels.pop_front();
  expect_generic("of sample in this library");
  sample.kernels.clear();
  EXPECT_EQ(sample.call(), NF_NO_KERNEL);
  EXPECT_STREQ(sample.which().why, "no kernel of sample in this library");
}

TEST_F(ChooseTest, AGenericKernelThatStandsFirst) {
  std::swap(sample.kernels[0], sample.kernels[1]);
  expect_generic("comes before it");
}

TEST_F(ChooseTest, ReasonsNameTheNearest) {
  nf_kernel &other = sample.add_kernel("other", see, {.outer = 1, .tiled = 0, .tile = 1, .times = 1});
  other.origin = NF_SPECIALIZED;
  other.needs = bit(gamma);                         // fails at an earlier condition than
  sample.kernels.front().ranges[rows] = {100, 200}; // this one
  expect_generic("for rows=4; the nearest serves 100..200");
}

TEST_F(ChooseTest, WhatAKernelIsHanded) {
  memset(&seen, 0xee, sizeof seen);
  sample.set_stride(x, 0, 12);
  sample.add_scalar("eps", 0.25);
  ASSERT_EQ(sample.call(), NF_OK);
  EXPECT_EQ(seen.tensors[x], xs);
  EXPECT_EQ(seen.tensors[gamma], nullptr);
  EXPECT_EQ(seen.extents[rows], 4);
  EXPECT_EQ(seen.extents[cols], 8);
  EXPECT_EQ(seen.strides[x][rows], 12);
  EXPECT_EQ(seen.strides[x][cols], 1);
  EXPECT_EQ(seen.strides[y][rows], 8);
  EXPECT_EQ(seen.strides[mean][rows], 1);
  EXPECT_EQ(seen.strides[mean][cols], 0);
  EXPECT_EQ(seen.scalars[0], 0.25);
  sample.set_extent(rows, 1);
  ASSERT_EQ(sample.call(), NF_OK);
  EXPECT_EQ(seen.strides[x][rows], 8); // of an axis of one, the dense one
}

} // namespace
} // namespace normforge::testing
