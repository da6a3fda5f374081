// Every way in which a call is refused, each with its own status, its culprit named, and nothing touched.
#include <cmath>
#include <gtest/gtest.h>
#include <string>

#include "tests/runtime/sample.h"

namespace normforge::testing {
namespace {

int runs = 0;
void count_run(const nf_kernel_args *, int64_t, int64_t) { ++runs; }

/// x[batch, rows, cols] f32, gamma[cols] f32 optional, count[cols] i32 inout -> y as x, mean[batch, rows] f64.
struct CheckTest : ::testing::Test {
  CheckTest() {
    sample.tensors[y].in_place = 1u << x;
    sample.add_kernel("all", count_run, {.outer = 1u << batch, .tiled = 0, .tile = 1, .times = 1});
    runs = 0;
  }

  void expect(nf_status status, const std::string &culprit) {
    nf_choice choice;
    EXPECT_EQ(nf_call(sample.function(), sample.args(), nullptr), status) << nf_status_string(status);
    EXPECT_EQ(nf_which(sample.function(), sample.args(), nullptr, &choice), status);
    EXPECT_EQ(runs, status == NF_OK ? 1 : 0);
    if (status != NF_OK) {
      EXPECT_EQ(choice.problem, nullptr);
      EXPECT_NE(std::string(choice.why).find(nf_status_string(status)), std::string::npos) << choice.why;
    }
    EXPECT_NE(std::string(choice.why).find(culprit), std::string::npos) << choice.why;
    runs = 0;
  }

  Sample sample;
  float xs[120], ys[120], gammas[5];
  int32_t counts[5];
  double means[24];
  int batch = sample.add_axis("batch", 2), rows = sample.add_axis("rows", 3), cols = sample.add_axis("cols", 5);
  int x = sample.add_tensor("x", NF_INPUT, NF_F32, {batch, rows, cols}, xs);
  int gamma = sample.add_tensor("gamma", NF_INPUT, NF_F32, {cols}, gammas, true);
  int counter = sample.add_tensor("counter", NF_INOUT, NF_I32, {cols}, counts);
  int y = sample.add_tensor("y", NF_OUTPUT, NF_F32, {batch, rows, cols}, ys);
  int mean = sample.add_tensor("mean", NF_OUTPUT, NF_F64, {batch, rows}, means);
  int eps = sample.add_scalar("eps", 1e-5, 0, INFINITY, false, true);
};

TEST_F(CheckTest, APlainCallRuns) { expect(NF_OK, "generic"); }

TEST_F(CheckTest, NullArguments) {
  int64_t bytes;
  EXPECT_EQ(nf_call(nullptr, sample.args(), nullptr), NF_NULL_ARGUMENT);
  EXPECT_EQ(nf_call(sample.function(), nullptr, nullptr), NF_NULL_ARGUMENT);
  EXPECT_EQ(nf_which(sample.function(), sample.args(), nullptr, nullptr), NF_NULL_ARGUMENT);
  EXPECT_EQ(nf_workspace_bytes(sample.function(), sample.args(), nullptr), NF_NULL_ARGUMENT);
  EXPECT_EQ(nf_workspace_bytes(nullptr, sample.args(), &bytes), NF_NULL_ARGUMENT);
}

TEST_F(CheckTest, NullTensors) {
  sample.set_pointer(gamma, nullptr);
  expect(NF_OK, "");
  sample.set_pointer(mean, nullptr);
  expect(NF_OK, "");
  sample.set_pointer(counter, nullptr);
  expect(NF_NULL_TENSOR, "counter");
  sample.set_pointer(counter, counts);
  sample.set_pointer(x, nullptr);
  expect(NF_NULL_TENSOR, ": x");
}

TEST_F(CheckTest, NoOutput) {
  sample.set_pointer(y, nullptr);
  sample.set_pointer(mean, nullptr);
  expect(NF_OK, ""); // the inout tensor is one
  sample.tensors[size_t(counter)].role = NF_INPUT;
  expect(NF_NO_OUTPUT, "");
}

TEST_F(CheckTest, Extents) {
  sample.set_extent(rows, -1);
  expect(NF_NEGATIVE_EXTENT, ": rows");
  sample.set_extent(rows, INT64_MIN);
  expect(NF_NEGATIVE_EXTENT, ": rows");
  sample.set_extent(rows, int64_t(1) << 62);
  expect(NF_TOO_LARGE, ": rows");
  sample.set_extent(rows, int64_t(1) << 58); // 2 * 5 * 2^58 elements fit in 63 bits, their bytes don't
  expect(NF_TOO_LARGE, ": x");
}

TEST_F(CheckTest, AnExtentOfZeroIsDoneAtOnce) {
  for (const int axis : {batch, rows, cols}) {
    sample.set_extent(axis, 0);
    nf_choice choice;
    EXPECT_EQ(sample.call(), NF_OK);
    EXPECT_EQ(nf_which(sample.function(), sample.args(), nullptr, &choice), NF_OK);
    EXPECT_STREQ(choice.why, "nothing to do: an extent is 0");
    sample.set_extent(axis, 3);
  }
  sample.set_extent(rows, 0);
  sample.set_pointer(x, nullptr); // as array libraries hand over empty arrays
  sample.set_pointer(y, nullptr);
  EXPECT_EQ(sample.call(), NF_OK);
  sample.set_pointer(mean, nullptr);
  sample.tensors[size_t(counter)].role = NF_INPUT;
  EXPECT_EQ(sample.call(), NF_OK); // the one output could not be asked for
  sample.tensors[size_t(counter)].role = NF_INOUT;
  sample.set_pointer(y, counts); // no elements, no overlap
  EXPECT_EQ(sample.call(), NF_OK);
  sample.set_pointer(counter, nullptr); // has elements all the same
  EXPECT_EQ(sample.call(), NF_NULL_TENSOR);
  sample.set_pointer(counter, counts);
  sample.set_scalar(eps, -1);
  EXPECT_EQ(sample.call(), NF_SCALAR_DOMAIN);
  EXPECT_EQ(runs, 0);
}

TEST_F(CheckTest, Strides) {
  sample.set_stride(x, 1, 5);
  expect(NF_OK, "");
  sample.set_stride(x, 1, 4);
  expect(NF_STRIDE_TOO_SMALL, ": x");
  sample.set_stride(x, 1, -4);
  expect(NF_STRIDE_TOO_SMALL, ": x");
  sample.set_stride(x, 1, 8); // batch follows: 0 is 3 * 8
  expect(NF_OK, "");
  sample.set_stride(x, 0, 20); // rows span 2 * 8 + 5
  expect(NF_STRIDE_TOO_SMALL, ": x");
  sample.set_stride(x, 0, 21);
  expect(NF_OK, "");
  sample.set_stride(x, 0, INT64_MAX / 2);
  expect(NF_TOO_LARGE, ": x");
  sample.set_stride(x, 0, INT64_MIN);
  expect(NF_TOO_LARGE, ": x");
  sample.set_stride(x, 0, int64_t(1) << 61);
  expect(NF_TOO_LARGE, ": x");
  sample.set_extent(batch, 1); // then its stride is nobody's business
  expect(NF_OK, "");
}

TEST_F(CheckTest, NegativeStridesReachBackwards) {
  sample.set_pointer(x, xs + 10);
  sample.set_stride(x, 1, -5);
  sample.set_stride(x, 0, 15);
  expect(NF_OK, "");
  sample.set_pointer(y, xs + 30);
  expect(NF_OK, ""); // xs[0 .. 30) and what follows
  sample.set_pointer(y, xs + 29);
  expect(NF_OVERLAP, ": y and x");
  sample.set_pointer(x, reinterpret_cast<float *>(16)); // reaches below address 0
  expect(NF_TOO_LARGE, ": x");
}

TEST_F(CheckTest, Scalars) {
  for (const double bad : {-1e-300, double(INFINITY), double(NAN)}) {
    sample.set_scalar(eps, bad);
    expect(NF_SCALAR_DOMAIN, ": eps");
  }
  sample.set_scalar(eps, 0);
  expect(NF_OK, "");
  sample.scalars[0].lo_open = 1;
  expect(NF_SCALAR_DOMAIN, ": eps");
  const double allowed[] = {0, 1};
  sample.scalars[0].set = allowed;
  sample.scalars[0].set_size = 2;
  expect(NF_OK, "");
  for (const double bad : {0.5, 2.0, double(NAN)}) {
    sample.set_scalar(eps, bad);
    expect(NF_SCALAR_DOMAIN, ": eps");
  }
}

TEST_F(CheckTest, Requirements) {
  nf_requirement requirement{};
  requirement.lhs = {.kind = NF_SCALAR_OF, .axes = 0, .scalar = eps, .constant = 0};
  requirement.rhs = {.kind = NF_COUNT_OF, .axes = 1u << batch | 1u << rows, .scalar = 0, .constant = 0}; // 6
  requirement.text = "eps against count(batch, rows)";
  const struct {
    nf_compare compare;
    double eps;
    bool holds;
  } cases[] = {{NF_LESS, 5.5, true},      {NF_LESS, 6, false}, {NF_LESS_EQUAL, 6, true},
               {NF_LESS_EQUAL, 7, false}, {NF_EQUAL, 6, true}, {NF_EQUAL, 5, false}};
  for (const auto &[compare, value, holds] : cases) {
    requirement.compare = compare;
    sample.requirements = {requirement};
    sample.set_scalar(eps, value);
    expect(holds ? NF_OK : NF_REQUIREMENT, holds ? "" : requirement.text);
  }
  requirement.rhs = {.kind = NF_CONSTANT_OF, .axes = 0, .scalar = 0, .constant = 5};
  sample.requirements = {requirement};
  expect(NF_OK, "");
}

TEST_F(CheckTest, Alignment) {
  sample.set_pointer(x, reinterpret_cast<char *>(xs) + 2);
  expect(NF_MISALIGNED, ": x");
  sample.set_pointer(x, reinterpret_cast<char *>(xs) + 4); // an element's is enough
  expect(NF_OK, "");
  sample.tensors[size_t(x)].dtype = NF_BF16;
  sample.tensors[size_t(y)].in_place = 0;
  sample.set_pointer(x, reinterpret_cast<char *>(xs) + 1);
  expect(NF_MISALIGNED, ": x");
  sample.set_pointer(mean, reinterpret_cast<char *>(means) + 4);
  sample.set_pointer(x, xs);
  expect(NF_MISALIGNED, ": mean");
}

TEST_F(CheckTest, InPlace) {
  sample.set_pointer(y, xs);
  expect(NF_OK, "");
  sample.set_stride(x, 1, 8);
  expect(NF_OVERLAP, ": y and x"); // not the same elements
  sample.set_stride(y, 1, 8);
  expect(NF_OK, "");
  sample.set_pointer(y, xs + 1);
  expect(NF_OVERLAP, ": y and x");
  sample.set_pointer(y, xs);
  sample.tensors[size_t(y)].in_place = 0;
  expect(NF_OVERLAP, ": y and x");
}

TEST_F(CheckTest, Overlap) {
  sample.set_pointer(counter, gammas);
  expect(NF_OVERLAP, ": counter and gamma");
  sample.set_pointer(counter, counts);
  sample.set_pointer(mean, ys + 28); // the last two elements of y
  expect(NF_OVERLAP, ": y and mean");
  sample.set_pointer(mean, ys + 30);
  expect(NF_OK, "");
  sample.set_pointer(gamma, xs + 3); // two inputs may share
  expect(NF_OK, "");
}

TEST_F(CheckTest, ColumnRangesOfOneMatrixDoNotOverlap) {
  for (const int tensor : {x, y})
    sample.set_stride(tensor, 1, 10), sample.set_stride(tensor, 0, 40);
  sample.set_extent(batch, 1);
  sample.set_pointer(y, xs + 5);
  expect(NF_OK, "");
  sample.set_pointer(y, xs + 15); // one row on
  expect(NF_OK, "");
  sample.set_pointer(y, xs + 4);
  expect(NF_OVERLAP, "");
  sample.set_pointer(y, xs + 6);
  expect(NF_OVERLAP, "");
}

TEST_F(CheckTest, Options) {
  nf_options options{};
  options.threads = -1;
  EXPECT_EQ(sample.call(&options), NF_BAD_OPTIONS);
  options = {};
  options.workspace_bytes = -1;
  EXPECT_EQ(sample.call(&options), NF_BAD_OPTIONS);
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(nf_set_threads(-1), NF_BAD_OPTIONS);
}

TEST(Status, EveryOneHasItsText) {
  for (int status = NF_OK; status <= NF_DRIVER_ERROR; ++status)
    for (int other = NF_OK; other < status; ++other)
      EXPECT_STRNE(nf_status_string(status), nf_status_string(other));
  EXPECT_STREQ(nf_status_string(NF_DRIVER_ERROR + 1), "unknown status");
  EXPECT_STREQ(nf_status_string(-1), "unknown status");
}

} // namespace
} // namespace normforge::testing
