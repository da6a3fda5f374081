// The dtype table: one row per element type, and the conversions that every part agrees on. Adding a dtype is adding a row, and a
// conversion where it is not IEEE-like.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace normforge {

enum class DType : uint8_t { f64, f32, bf16, f16, i8, f8e4m3, i32 };

struct DTypeInfo {
  DType dtype;
  std::string_view name; ///< as in problem text: "bf16"
  int bytes;
  bool input;  ///< may be the dtype of an input
  bool output; ///< may be the dtype of an output
};

std::span<const DTypeInfo> dtypes();
const DTypeInfo &info(DType);
inline std::string_view name(DType d) { return info(d).name; }
std::optional<DType> dtype_named(std::string_view name);

/// Element `index` of an array of `dtype` at `base`, as a double (exact for every dtype).
double load_element(DType dtype, const void *base, size_t index);

/// Rounds `value` once, to nearest even (integers: half to even, saturating; f8e4m3: OCP's E4M3FN, whose largest is 448, saturating as
/// ONNX's Cast does by default and cvt.satfinite of PTX: what is larger, infinity too, gives 448; NaN stays), and stores it.
void store_element(DType dtype, void *base, size_t index, double value);

/// `value` rounded to `dtype` and widened again.
double round_to(DType dtype, double value);

} // namespace normforge
