// The same bits on every level, in scalars and in vectors of any width, with wide registers or not; and the exact operations against the
// C++ library's, which round correctly.
#include <bit>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "codegen/nest/math.h"
#include "tests/x86math/pointwise_kernel.h"

namespace normforge::x86 {

using namespace nest;

namespace {

constexpr Op kOps[] = {Op::add, Op::sub,  Op::mul, Op::div,  Op::maximum, Op::minimum, Op::neg,     Op::abs,   Op::sqrt, Op::rsqrt,
                       Op::exp, Op::exp2, Op::log, Op::log2, Op::tanh,    Op::erf,     Op::sigmoid, Op::floor, Op::ceil, Op::round};

// Every exponent and sign, many mantissas, and the special values, in random order.
template <class T> std::vector<T> samples(size_t count, unsigned seed) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  using Limits = std::numeric_limits<T>;
  std::mt19937_64 random(seed);
  std::normal_distribution<T> near(0, 4);
  std::vector<T> values = {0,      T(-0.0), 1,      -1, Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(), Limits::denorm_min(),
                           T(0.5), T(2.5),  T(-1.5)};
  while (values.size() < count)
    values.push_back(values.size() % 2 ? std::bit_cast<T>(Bits(random())) : near(random));
  std::shuffle(values.begin(), values.end(), random);
  return values;
}

template <class T>
std::vector<T> apply(Op op, bool fma, const Target &target, int width, int vector_bits, const std::vector<T> &a, const std::vector<T> &b) {
  const DType dtype = sizeof(T) == 4 ? DType::f32 : DType::f64;
  const PointwiseKernel kernel{std::vector<DType>(size_t(info(op).operands), dtype), dtype, width, vector_bits,
                               [&](auto &builder, auto values) { return emit_pointwise(builder, op, values, fma, target); }};
  std::vector<T> out(a.size());
  std::vector<const void *> in = {a.data(), b.data()};
  in.resize(size_t(info(op).operands));
  Pointwise(kernel, target)(in, out.data(), int64_t(out.size()));
  return out;
}

template <class T> void expect_same(const std::vector<T> &got, const std::vector<T> &want, const std::string &what) {
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_TRUE((std::isnan(got[i]) && std::isnan(want[i])) || std::memcmp(&got[i], &want[i], sizeof(T)) == 0)
        << what << ": " << got[i] << " is not " << want[i] << " at " << i;
}

template <class T> void expect_same_everywhere(Op op, bool fma) {
  const std::vector<T> a = samples<T>(2048, 1), b = samples<T>(2048, 2);
  const std::vector<T> want = apply(op, fma, host_target(), 32, 0, a, b);
  for (const Target *target : runnable_targets()) {
    if (fma && !target->fma)
      continue;
    const std::string what = std::string(info(op).name) + (fma ? " fused" : " apart") + " on " + std::string(target->name);
    for (int width : {1, sizeof(T) == 4 ? 64 : 16})
      expect_same(apply(op, fma, *target, width, 0, a, b), want, what + " by " + std::to_string(width));
    expect_same(apply(op, fma, *target, 16, 128, a, b), want, what + " in 128 bits");
  }
}

TEST(SameBits, F32Apart) {
  for (Op op : kOps)
    expect_same_everywhere<float>(op, false);
}
TEST(SameBits, F32Fused) {
  for (Op op : kOps)
    if (info(op).transcendental && host_target().fma)
      expect_same_everywhere<float>(op, true);
}
TEST(SameBits, F64Apart) {
  for (Op op : kOps)
    expect_same_everywhere<double>(op, false);
}
TEST(SameBits, F64Fused) {
  for (Op op : kOps)
    if (info(op).transcendental && host_target().fma)
      expect_same_everywhere<double>(op, true);
}

template <class T> void expect_exact() {
  const std::vector<T> a = samples<T>(1 << 14, 3), b = samples<T>(1 << 14, 4);
  const auto check = [&](Op op, auto reference) {
    std::vector<T> want(a.size());
    for (size_t i = 0; i < a.size(); ++i)
      want[i] = reference(a[i], b[i]);
    expect_same(apply(op, false, host_target(), 32, 0, a, b), want, std::string(info(op).name));
  };
  const T nan = std::numeric_limits<T>::quiet_NaN();
  check(Op::div, [](T x, T y) { return x / y; });
  check(Op::neg, [](T x, T) { return -x; });
  check(Op::abs, [](T x, T) { return std::fabs(x); });
  check(Op::sqrt, [](T x, T) { return std::sqrt(x); });
  check(Op::rsqrt, [](T x, T) { return 1 / std::sqrt(x); });
  check(Op::floor, [](T x, T) { return std::floor(x); });
  check(Op::ceil, [](T x, T) { return std::ceil(x); });
  check(Op::round, [](T x, T) { return std::nearbyint(x); });
  check(Op::maximum, [&](T x, T y) { return std::isnan(x) || std::isnan(y) ? nan : std::max(x, y); });
  check(Op::minimum, [&](T x, T y) { return std::isnan(x) || std::isnan(y) ? nan : std::min(x, y); });
}

TEST(Exact, F32) { expect_exact<float>(); }
TEST(Exact, F64) { expect_exact<double>(); }

TEST(Exact, Select) {
  const Target &target = host_target();
  const std::vector<float> a = samples<float>(4096, 5), b = samples<float>(4096, 6);
  const auto run = [&](Op compare) {
    std::vector<float> out(a.size());
    Pointwise({{DType::f32, DType::f32},
               DType::f32,
               32,
               0,
               [&](auto &builder, auto x) {
                 const mlir::Value condition = emit_pointwise(builder, compare, x, false, target);
                 return emit_pointwise(builder, Op::select, {condition, x[0], x[1]}, false, target);
               }},
              target)({a.data(), b.data()}, out.data(), int64_t(a.size()));
    return out;
  };
  const auto expected = [&](auto compare) {
    std::vector<float> want(a.size());
    for (size_t i = 0; i < a.size(); ++i)
      want[i] = compare(a[i], b[i]) ? a[i] : b[i];
    return want;
  };
  expect_same(run(Op::less), expected(std::less<float>()), "less");
  expect_same(run(Op::less_equal), expected(std::less_equal<float>()), "less_equal");
  expect_same(run(Op::equal), expected(std::equal_to<float>()), "equal");
}

TEST(Exact, Power) {
  const Target &target = host_target();
  const std::vector<float> x = {1, -2, 3, 0.5f, 10, -0.0f, INFINITY, 1.5f};
  for (int exponent : {0, 1, 2, 3, 7, -1, -2}) {
    std::vector<float> out(x.size());
    Pointwise({{DType::f32}, DType::f32, 8, 0, [&](auto &builder, auto values) { return emit_power(builder, values[0], exponent); }},
              target)({x.data()}, out.data(), int64_t(x.size()));
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_FLOAT_EQ(out[i], std::pow(x[i], float(exponent))) << x[i] << " ^ " << exponent;
  }
}

} // namespace
} // namespace normforge::x86
