#include "dsl/dtype.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "dsl/error.h"

namespace normforge {
namespace {

constexpr DTypeInfo kDTypes[] = {
    {DType::f64, "f64", 8, true, true},   {DType::f32, "f32", 4, true, true}, {DType::bf16, "bf16", 2, true, true},
    {DType::f16, "f16", 2, true, true},   {DType::i8, "i8", 1, false, true},  {DType::f8e4m3, "f8e4m3", 1, false, true},
    {DType::i32, "i32", 4, false, false},
};

// A small binary float: `exponent` and `mantissa` bits under a sign. f8e4m3 (the OCP "fn" variant) has no infinity: its top exponent
// holds numbers, and all ones is NaN.
struct SmallFloat {
  int exponent, mantissa;
  bool has_infinity;
  int bias() const { return (1 << (exponent - 1)) - 1; }
  int width() const { return 1 + exponent + mantissa; }
};
constexpr SmallFloat kBf16{8, 7, true}, kF16{5, 10, true}, kF8{4, 3, false};

double widen(SmallFloat f, uint32_t bits) {
  const uint32_t fraction = bits & ((1u << f.mantissa) - 1);
  const int exponent = int(bits >> f.mantissa) & ((1 << f.exponent) - 1);
  const double sign = bits >> (f.width() - 1) & 1 ? -1.0 : 1.0;
  const int top = (1 << f.exponent) - 1;
  if (f.has_infinity && exponent == top)
    return fraction ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  if (!f.has_infinity && exponent == top && fraction == (1u << f.mantissa) - 1)
    return std::numeric_limits<double>::quiet_NaN();
  if (exponent == 0)
    return sign * std::ldexp(double(fraction), 1 - f.bias() - f.mantissa);
  return sign * std::ldexp(double(fraction | 1u << f.mantissa), exponent - f.bias() - f.mantissa);
}

// Rounds to nearest even by counting in units of the last place at the value's exponent (nearbyint in the default rounding mode).
uint32_t narrow(SmallFloat f, double value) {
  const uint32_t sign = std::signbit(value) ? 1u << (f.width() - 1) : 0;
  const uint32_t top = (1u << f.exponent) - 1, ones = (1u << f.mantissa) - 1;
  if (std::isnan(value))
    return sign | top << f.mantissa | (f.has_infinity ? 1u << (f.mantissa - 1) : ones);
  const uint32_t largest = f.has_infinity ? (top << f.mantissa) - 1 : (top << f.mantissa | (ones - 1));
  const uint32_t overflow = f.has_infinity ? top << f.mantissa : largest;
  const double magnitude = std::fabs(value);
  if (std::isinf(magnitude))
    return sign | overflow;
  int exponent = magnitude == 0 ? 1 - f.bias() : std::max(std::ilogb(magnitude), 1 - f.bias());
  const double units = std::nearbyint(std::ldexp(magnitude, f.mantissa - exponent));
  // `units` has mantissa + 1 bits for a normal number; adding it to the exponent field carries where rounding reached the next power of
  // two.
  const double coded = double(exponent + f.bias() - 1) * double(1u << f.mantissa) + units;
  return coded > double(largest) ? sign | overflow : sign | uint32_t(coded);
}

template <class T> T read(const void *base, size_t index) {
  T value;
  std::memcpy(&value, static_cast<const char *>(base) + index * sizeof(T), sizeof(T));
  return value;
}
template <class T> void write(void *base, size_t index, T value) {
  std::memcpy(static_cast<char *>(base) + index * sizeof(T), &value, sizeof(T));
}

// Half to even, saturating; NaN gives 0.
template <class T> T to_integer(double value) {
  if (std::isnan(value))
    return 0;
  const double rounded = std::nearbyint(value);
  return T(std::clamp(rounded, double(std::numeric_limits<T>::min()), double(std::numeric_limits<T>::max())));
}

} // namespace

std::span<const DTypeInfo> dtypes() { return kDTypes; }

const DTypeInfo &info(DType dtype) { return kDTypes[size_t(dtype)]; }

std::optional<DType> dtype_named(std::string_view name) {
  for (const DTypeInfo &row : kDTypes)
    if (row.name == name)
      return row.dtype;
  return std::nullopt;
}

double load_element(DType dtype, const void *base, size_t index) {
  switch (dtype) {
  case DType::f64: return read<double>(base, index);
  case DType::f32: return read<float>(base, index);
  case DType::bf16: return widen(kBf16, read<uint16_t>(base, index));
  case DType::f16: return widen(kF16, read<uint16_t>(base, index));
  case DType::i8: return read<int8_t>(base, index);
  case DType::f8e4m3: return widen(kF8, read<uint8_t>(base, index));
  case DType::i32: return read<int32_t>(base, index);
  }
  internal_check(!"a dtype of the table");
  return 0;
}

void store_element(DType dtype, void *base, size_t index, double value) {
  switch (dtype) {
  case DType::f64: return write(base, index, value);
  case DType::f32: return write(base, index, float(value));
  case DType::bf16: return write(base, index, uint16_t(narrow(kBf16, value)));
  case DType::f16: return write(base, index, uint16_t(narrow(kF16, value)));
  case DType::i8: return write(base, index, to_integer<int8_t>(value));
  case DType::f8e4m3: return write(base, index, uint8_t(narrow(kF8, value)));
  case DType::i32: return write(base, index, to_integer<int32_t>(value));
  }
}

double round_to(DType dtype, double value) {
  double slot = 0;
  store_element(dtype, &slot, 0, value);
  return load_element(dtype, &slot, 0);
}

} // namespace normforge
