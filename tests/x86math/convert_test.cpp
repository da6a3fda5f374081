// Conversions against the table's own (dsl/dtype.h), on every level: every stored value, and narrowing of a dense sample, of every value of
// the narrow type, of every tie between two of them, and of what lies next to a tie, where rounding twice would go wrong.
#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "codegen/nest/convert.h"
#include "tests/x86math/pointwise_kernel.h"

namespace normforge::x86 {

using namespace nest;

namespace {

constexpr DType kNarrow[] = {DType::bf16, DType::f16, DType::f8e4m3, DType::i8};

mlir::Type compute_type(mlir::ImplicitLocOpBuilder &builder, DType compute) { return storage_type(builder.getContext(), compute); }

void expect_equal_elements(DType dtype, const void *got, const void *want, size_t count, const std::vector<double> &from,
                           const Target &target) {
  for (size_t i = 0; i < count; ++i) {
    const double a = load_element(dtype, got, i), b = load_element(dtype, want, i);
    ASSERT_TRUE((std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b)))
        << name(dtype) << " of " << from[i] << " is " << a << ", not " << b << ", on " << target.name;
  }
}

void expect_widens(DType from, DType compute, int width) {
  const size_t count = size_t(1) << (8 * info(from).bytes), bytes = size_t(info(compute).bytes);
  std::vector<uint16_t> codes(count);
  for (size_t i = 0; i < count; ++i)
    info(from).bytes == 2 ? void(codes[i] = uint16_t(i)) : void(reinterpret_cast<uint8_t *>(codes.data())[i] = uint8_t(i));
  std::vector<char> want(count * bytes), got(count * bytes);
  std::vector<double> values(count);
  for (size_t i = 0; i < count; ++i)
    store_element(compute, want.data(), i, values[i] = load_element(from, codes.data(), i));
  for (const Target *target : runnable_targets()) {
    Pointwise({{from}, compute, width, 0, [&](auto &b, auto x) { return widen(b, x[0], from, compute_type(b, compute), *target); }},
              *target)({codes.data()}, got.data(), int64_t(count));
    expect_equal_elements(compute, got.data(), want.data(), count, values, *target);
  }
}

TEST(Convert, WidenEveryValue) {
  for (DType from : kNarrow)
    for (DType compute : {DType::f32, DType::f64})
      for (int width : {1, 32})
        expect_widens(from, compute, width);
}

// Every finite value of `dtype`, the ties between neighbours, and the nearest values of T on both sides of each.
template <class T> std::vector<T> around_ties(DType dtype) {
  std::vector<double> values;
  for (uint32_t code = 0; code < uint32_t(1) << (8 * info(dtype).bytes); ++code)
    if (const double value = load_element(dtype, &code, 0); std::isfinite(value))
      values.push_back(value);
  std::ranges::sort(values);
  std::vector<T> around;
  for (size_t i = 0; i + 1 < values.size(); ++i)
    for (T x : {T(values[i]), T((values[i] + values[i + 1]) / 2)})
      around.insert(around.end(), {x, std::nextafter(x, T(-INFINITY)), std::nextafter(x, T(INFINITY))});
  const T last = T(values.back()), step = T(values.back() - values[values.size() - 2]); // and past the end, where numbers overflow
  for (T x : {last, last + step / 2, last + step, last * 2})
    for (T sign : {1, -1})
      around.insert(around.end(), {sign * x, sign * std::nextafter(x, T(0)), sign * std::nextafter(x, T(INFINITY))});
  return around;
}

template <class T> std::vector<T> narrowing_samples(DType dtype) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  std::vector<T> values = around_ties<T>(dtype);
  values.insert(values.end(),
                {0, T(-0.0), INFINITY, -INFINITY, NAN, -T(NAN), std::numeric_limits<T>::denorm_min(), std::numeric_limits<T>::max()});
  std::mt19937_64 random(11);
  std::normal_distribution<T> near(0, 1);
  for (int i = 0; i < 1 << 16; ++i)
    values.insert(values.end(), {std::bit_cast<T>(Bits(random())), std::ldexp(near(random), i % 64 - 40)});
  values.resize((values.size() + 31) / 32 * 32);
  return values;
}

template <class T> void expect_narrows(DType to, int width) {
  const DType compute = sizeof(T) == 4 ? DType::f32 : DType::f64;
  const std::vector<T> in = narrowing_samples<T>(to);
  std::vector<uint16_t> want(in.size()), got(in.size());
  for (size_t i = 0; i < in.size(); ++i)
    store_element(to, want.data(), i, double(in[i]));
  for (const Target *target : runnable_targets()) {
    Pointwise({{compute}, to, width, 0, [&](auto &b, auto x) { return narrow(b, x[0], to, *target); }}, *target)({in.data()}, got.data(),
                                                                                                                 int64_t(in.size()));
    expect_equal_elements(to, got.data(), want.data(), in.size(), std::vector<double>(in.begin(), in.end()), *target);
  }
}

TEST(Convert, NarrowF32) {
  for (DType to : kNarrow)
    for (int width : {1, 32})
      expect_narrows<float>(to, width);
}

TEST(Convert, NarrowF64Once) {
  for (DType to : kNarrow)
    for (int width : {1, 32})
      expect_narrows<double>(to, width);
}

// f32 at an odd stride, which visits every exponent and all low bits; denser in the long run.
TEST(Convert, NarrowDense) {
  const uint64_t stride = std::getenv("NORMFORGE_LONG") ? 101 : 20011;
  std::vector<float> in(1 << 12);
  std::vector<uint16_t> want(in.size()), got(in.size());
  for (const Target *target : runnable_targets())
    for (DType to : kNarrow) {
      const Pointwise kernel({{DType::f32}, to, 32, 0, [&](auto &b, auto x) { return narrow(b, x[0], to, *target); }}, *target);
      for (uint64_t bits = 0; bits < uint64_t(1) << 32;) {
        for (float &x : in)
          x = std::bit_cast<float>(uint32_t(bits)), bits += stride;
        kernel({in.data()}, got.data(), int64_t(in.size()));
        for (size_t i = 0; i < in.size(); ++i)
          store_element(to, want.data(), i, double(in[i]));
        expect_equal_elements(to, got.data(), want.data(), in.size(), std::vector<double>(in.begin(), in.end()), *target);
      }
    }
}

TEST(Convert, BetweenF32AndF64) {
  const std::vector<double> in = narrowing_samples<double>(DType::bf16);
  for (const Target *target : runnable_targets()) {
    std::vector<float> narrowed(in.size());
    Pointwise({{DType::f64}, DType::f32, 32, 0, [&](auto &b, auto x) { return narrow(b, x[0], DType::f32, *target); }},
              *target)({in.data()}, narrowed.data(), int64_t(in.size()));
    std::vector<double> widened(in.size());
    Pointwise({{DType::f32}, DType::f64, 32, 0, [&](auto &b, auto x) { return widen(b, x[0], DType::f32, b.getF64Type(), *target); }},
              *target)({narrowed.data()}, widened.data(), int64_t(in.size()));
    for (size_t i = 0; i < in.size(); ++i)
      ASSERT_TRUE(std::isnan(in[i]) ? std::isnan(widened[i]) : widened[i] == double(float(in[i]))) << in[i];
  }
}

} // namespace
} // namespace normforge::x86
