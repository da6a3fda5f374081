// The transcendental functions against libm, two formats up for f32 (double) and one for f64 (long double): at most 2 ulp, and the limits
// exactly. NORMFORGE_LONG goes over every f32.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "codegen/nest/math.h"
#include "tests/x86math/pointwise_kernel.h"

namespace normforge::x86 {

using namespace nest;

namespace {

template <class T> T sigmoid(T x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

struct Function {
  Op op;
  double (*f64)(double);
  long double (*wide)(long double);
};
const Function kFunctions[] = {
    {Op::exp, std::exp, std::exp},    {Op::exp2, std::exp2, std::exp2}, {Op::log, std::log, std::log},   {Op::log2, std::log2, std::log2},
    {Op::tanh, std::tanh, std::tanh}, {Op::erf, std::erf, std::erf},    {Op::sigmoid, sigmoid, sigmoid},
};

Pointwise kernel_of(Op op, bool fma, DType dtype, const Target &target) {
  return {{{dtype}, dtype, 32, 0, [&, op, fma](auto &builder, auto values) { return emit_pointwise(builder, op, values, fma, target); }},
          target};
}

// How far `got` is from `want`, in units of the last place of T at `want`. An infinite `got` counts as the power of two that overflows.
template <class T, class Wide> double ulps(T got, Wide want) {
  using Limits = std::numeric_limits<T>;
  if (std::isnan(got) || std::isnan(want))
    return std::isnan(got) && std::isnan(want) ? 0 : INFINITY;
  const Wide top = std::ldexp(Wide(1), Limits::max_exponent);
  const Wide value = std::isinf(got) ? std::copysign(top, Wide(got)) : Wide(got);
  const Wide limited = std::clamp(want, -top, top);
  const int exponent =
      want == 0 ? Limits::min_exponent - 1 : std::clamp(std::ilogb(limited), Limits::min_exponent - 1, Limits::max_exponent - 1);
  return double(std::fabs(value - limited) / std::ldexp(Wide(1), exponent - Limits::digits + 1));
}

template <class T> struct Worst {
  double error = 0;
  T at = 0;
  void see(T x, double ulps) {
    if (ulps > error)
      error = ulps, at = x;
  }
};

class Accuracy : public testing::TestWithParam<std::tuple<Function, bool>> {
protected:
  Function function = std::get<0>(GetParam());
  bool fma = std::get<1>(GetParam());
  const Target *target = &host_target();
  void SetUp() override {
    if (fma && !target->fma)
      GTEST_SKIP() << "this machine has no fused multiply-add";
  }
};

// The worst of f32 numbers `stride` apart, from bit pattern `begin` on.
Worst<float> worst_of(const Pointwise &kernel, double (*reference)(double), uint64_t begin, uint64_t end, uint64_t stride) {
  Worst<float> worst;
  std::vector<float> in(1 << 12), out(in.size());
  for (uint64_t bits = begin; bits < end;) {
    for (float &x : in)
      x = std::bit_cast<float>(uint32_t(bits)), bits += stride;
    kernel({in.data()}, out.data(), int64_t(in.size()));
    for (size_t i = 0; i < in.size(); ++i)
      if (const double want = reference(in[i]); out[i] != float(want))
        worst.see(in[i], ulps(out[i], want));
  }
  return worst;
}

TEST_P(Accuracy, F32) {
  const Pointwise kernel = kernel_of(function.op, fma, DType::f32, *target);
  const uint64_t stride = std::getenv("NORMFORGE_LONG") ? 1 : 4093, all = uint64_t(1) << 32;
  const unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  std::vector<Worst<float>> found(threads);
  std::vector<std::thread> running;
  for (unsigned t = 0; t < threads; ++t)
    running.emplace_back([&, t] { found[t] = worst_of(kernel, function.f64, all / threads * t, all / threads * (t + 1), stride); });
  for (std::thread &thread : running)
    thread.join();
  const Worst<float> worst = *std::ranges::max_element(found, {}, &Worst<float>::error);
  EXPECT_LE(worst.error, 2) << "at " << worst.at;
  RecordProperty("ulp", std::to_string(worst.error));
}

TEST_P(Accuracy, F64) {
  const Pointwise kernel = kernel_of(function.op, fma, DType::f64, *target);
  const int rounds = std::getenv("NORMFORGE_LONG") ? 400 : 4;
  Worst<double> worst;
  std::mt19937_64 random(7);
  std::vector<double> in(1 << 14), out(in.size());
  for (int round = 0; round < rounds; ++round) {
    std::uniform_real_distribution<double> near(-2, 2), far(-750, 750), exponent(-1074, 1024);
    for (size_t i = 0; i < in.size(); ++i) // around 0, where results are neither 0 nor infinite, and every magnitude
      in[i] = i % 3 == 0 ? near(random) : i % 3 == 1 ? far(random) : std::ldexp(near(random), int(exponent(random)));
    kernel({in.data()}, out.data(), int64_t(in.size()));
    for (size_t i = 0; i < in.size(); ++i)
      worst.see(in[i], ulps(out[i], function.wide(in[i])));
  }
  EXPECT_LE(worst.error, 2) << "at " << worst.at;
  RecordProperty("ulp", std::to_string(worst.error));
}

// Zeros, infinities, NaNs of both kinds, subnormals, and both sides of the thresholds of overflow and underflow, with the sign of a zero.
template <class T> void expect_limits(Op op, bool fma, DType dtype, const Target &target, double (*reference)(double)) {
  using Limits = std::numeric_limits<T>;
  std::vector<T> in = {
      0, 1, Limits::infinity(), Limits::quiet_NaN(), Limits::signaling_NaN(), Limits::denorm_min(), Limits::min(), Limits::max()};
  for (T x : {std::log(Limits::max()), T(Limits::max_exponent), std::log(Limits::min()), std::log(Limits::denorm_min()),
              T(Limits::min_exponent), T(0.5), T(2)})
    in.insert(in.end(), {x, std::nextafter(x, T(0)), std::nextafter(x, 2 * x)});
  const size_t half = in.size();
  for (size_t i = 0; i < half; ++i)
    in.push_back(-in[i]);
  in.resize((in.size() + 31) / 32 * 32);
  std::vector<T> out(in.size());
  kernel_of(op, fma, dtype, target)({in.data()}, out.data(), int64_t(in.size()));
  for (size_t i = 0; i < in.size(); ++i) {
    const T want = T(reference(in[i]));
    EXPECT_LE(ulps(out[i], static_cast<long double>(want)), 2.5)
        << info(op).name << "(" << in[i] << ") = " << out[i] << ", not " << want << ", on " << target.name;
    if (!std::isnan(want)) {
      EXPECT_EQ(std::signbit(out[i]), std::signbit(want)) << info(op).name << "(" << in[i] << ") on " << target.name;
    }
    if (want == 0 || std::isinf(want)) {
      EXPECT_EQ(out[i], want) << info(op).name << "(" << in[i] << ") on " << target.name;
    }
  }
}

TEST_P(Accuracy, Limits) {
  for (const Target *each : runnable_targets())
    if (each->fma || !fma) {
      expect_limits<double>(function.op, fma, DType::f64, *each, function.f64);
      expect_limits<float>(function.op, fma, DType::f32, *each, function.f64);
    }
}

INSTANTIATE_TEST_SUITE_P(Functions, Accuracy, testing::Combine(testing::ValuesIn(kFunctions), testing::Bool()), [](const auto &test) {
  return std::string(normforge::info(std::get<0>(test.param).op).name) + (std::get<1>(test.param) ? "_fused" : "_apart");
});

} // namespace
} // namespace normforge::x86
