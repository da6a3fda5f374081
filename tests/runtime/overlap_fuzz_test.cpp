// Random calls at small sizes against an oracle that marks every byte of every element: what is accepted must be free of overlap, but for
// exact in-place pairs; what touches nobody's bytes between the first and the last must be accepted; and the same for tensors that overlap
// themselves.
#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <stdlib.h>

#include "tests/runtime/sample.h"

namespace normforge::testing {
namespace {

void nothing(const nf_kernel_args *, int64_t, int64_t) {}

constexpr int kBytes[] = {8, 4, 2, 2, 1, 1, 4};

struct Shape {
  std::vector<int> axes;
  std::vector<int64_t> strides; // as said: 0 is dense
  nf_dtype dtype;
  nf_role role;
  int64_t offset; // of the pointer, in bytes
};

/// The bytes of a tensor's elements, in index order; what 0 stands for is worked out from the definition.
std::vector<int64_t> element_addresses(const Shape &shape, const std::vector<int64_t> &extents) {
  std::vector<int64_t> strides = shape.strides;
  int64_t behind = 1;
  for (size_t i = shape.axes.size(); i-- > 0;) {
    const int64_t extent = extents[size_t(shape.axes[i])];
    if (strides[i] == 0 || extent <= 1)
      strides[i] = behind;
    behind = std::abs(strides[i]) * extent;
  }
  std::vector<int64_t> addresses{shape.offset};
  for (size_t i = 0; i < shape.axes.size(); ++i) {
    std::vector<int64_t> next;
    for (const int64_t address : addresses)
      for (int64_t k = 0; k < extents[size_t(shape.axes[i])]; ++k)
        next.push_back(address + k * strides[i] * kBytes[shape.dtype]);
    addresses = next;
  }
  return addresses;
}

bool overlaps_itself(std::vector<int64_t> addresses) {
  std::ranges::sort(addresses);
  return std::ranges::adjacent_find(addresses) != addresses.end(); // strides are whole elements
}

bool share_bytes(const std::vector<int64_t> &a, int a_bytes, const std::vector<int64_t> &b, int b_bytes) {
  for (const int64_t first : a)
    for (const int64_t second : b)
      if (first < second + b_bytes && second < first + a_bytes)
        return true;
  return false;
}

bool spans_share_bytes(const std::vector<int64_t> &a, int a_bytes, const std::vector<int64_t> &b, int b_bytes) {
  const auto [a_low, a_high] = std::ranges::minmax(a);
  const auto [b_low, b_high] = std::ranges::minmax(b);
  return a_low < b_high + b_bytes && b_low < a_high + a_bytes;
}

TEST(OverlapFuzz, AgreesWithMarkedBytes) {
  const int rounds = getenv("NORMFORGE_LONG") ? 3'000'000 : 60'000;
  std::mt19937_64 random(20240607);
  const auto pick = [&](int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(random); };
  std::map<nf_status, int> seen;
  int between = 0, in_place = 0;
  alignas(8) static char memory[1 << 14];
  for (int round = 0; round < rounds; ++round) {
    std::vector<int64_t> extents;
    for (int64_t a = pick(1, 3); a > 0; --a)
      extents.push_back(pick(1, 4));
    std::vector<Shape> shapes;
    for (int64_t t = pick(2, 3); t > 0; --t) {
      Shape shape{.dtype = nf_dtype(pick(NF_F64, NF_I8)), .role = pick(0, 2) == 0 ? NF_INOUT : NF_INPUT, .offset = 0};
      if (shapes.empty())
        shape.role = NF_OUTPUT;
      if (!shapes.empty() && pick(0, 2) == 0) { // much like the first
        const nf_role role = shape.role;
        shape = shapes.front();
        shape.role = role;
      } else {
        for (size_t a = 0; a < extents.size(); ++a)
          if (pick(0, 3) != 0)
            shape.axes.push_back(int(a));
        if (pick(0, 3) == 0)
          std::ranges::shuffle(shape.axes, random);
        int64_t behind = 1;
        for (size_t i = 0; i < shape.axes.size(); ++i)
          shape.strides.push_back(0);
        for (size_t i = shape.axes.size(); i-- > 0;) {
          const int64_t kind = pick(0, 5);
          shape.strides[i] = kind < 2 ? 0 : kind == 2 ? pick(-8, 8) : (behind + pick(0, 6)) * (kind == 3 ? -1 : 1);
          behind = std::max<int64_t>(1, std::abs(shape.strides[i] ? shape.strides[i] : behind) * extents[size_t(shape.axes[i])]);
        }
      }
      if (pick(0, 2) != 0)
        shape.offset = pick(-12, 12) * kBytes[shape.dtype];
      shapes.push_back(shape);
    }

    Sample sample;
    for (const int64_t extent : extents)
      sample.add_axis("axis", extent);
    char *const middle = memory + sizeof memory / 2;
    for (const Shape &shape : shapes) {
      const int t = sample.add_tensor("tensor", shape.role, shape.dtype, shape.axes, middle + shape.offset);
      for (size_t i = 0; i < shape.axes.size(); ++i)
        sample.set_stride(t, int(i), shape.strides[i]);
    }
    sample.add_kernel("kernel", nothing, {.outer = 0, .tiled = 0, .tile = 1, .times = 1});
    for (size_t t = 0; t < shapes.size(); ++t)
      for (size_t u = 0; u < shapes.size(); ++u)
        if (shapes[t].role == NF_OUTPUT && shapes[u].role == NF_INPUT && shapes[t].axes == shapes[u].axes &&
            kBytes[shapes[t].dtype] == kBytes[shapes[u].dtype])
          sample.tensors[t].in_place |= uint64_t(1) << u;

    const nf_status status = sample.call();
    ++seen[status];
    bool itself = false, shared = false, apart = true;
    std::vector<std::vector<int64_t>> addresses;
    for (const Shape &shape : shapes) {
      addresses.push_back(element_addresses(shape, extents));
      itself |= overlaps_itself(addresses.back());
    }
    for (size_t t = 0; t < shapes.size() && !itself; ++t)
      for (size_t u = 0; u < shapes.size(); ++u) {
        if (t == u || shapes[t].role == NF_INPUT)
          continue;
        const int t_bytes = kBytes[shapes[t].dtype], u_bytes = kBytes[shapes[u].dtype];
        if ((sample.tensors[t].in_place >> u & 1) && addresses[t] == addresses[u]) {
          ++in_place;
          continue;
        }
        shared |= share_bytes(addresses[t], t_bytes, addresses[u], u_bytes);
        apart &= !spans_share_bytes(addresses[t], t_bytes, addresses[u], u_bytes);
      }
    if (itself) {
      ASSERT_EQ(status, NF_STRIDE_TOO_SMALL) << "round " << round;
    } else if (shared) {
      ASSERT_TRUE(status == NF_OVERLAP || status == NF_STRIDE_TOO_SMALL) << "round " << round << ": " << nf_status_string(status);
    } else if (apart) {
      ASSERT_TRUE(status == NF_OK || status == NF_STRIDE_TOO_SMALL) << "round " << round << ": " << nf_status_string(status);
    } else {
      between += status == NF_OK; // rows of one between rows of the other
    }
  }
  // Each outcome came up often enough to mean something.
  EXPECT_GT(seen[NF_OK], rounds / 20);
  EXPECT_GT(seen[NF_OVERLAP], rounds / 20);
  EXPECT_GT(seen[NF_STRIDE_TOO_SMALL], rounds / 20);
  EXPECT_GT(in_place, rounds / 200);
  EXPECT_GT(between, rounds / 2000);
}

} // namespace
} // namespace normforge::testing
