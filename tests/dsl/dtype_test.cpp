#include "dsl/dtype.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

namespace normforge {
namespace {

TEST(DType, TableRowsStandAtTheirIndexAndNamesRoundTrip) {
  for (const DTypeInfo &row : dtypes()) {
    EXPECT_EQ(&info(row.dtype), &row);
    EXPECT_EQ(dtype_named(row.name), row.dtype);
  }
  EXPECT_EQ(dtype_named("f128"), std::nullopt);
}

// The compiler's _Float16 is an independent source for every f16, and for the midpoints between neighbours, which decide ties.
TEST(DType, F16AgreesWithTheCompilerOnEveryValueAndTie) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const uint16_t half = uint16_t(bits);
    _Float16 native;
    std::memcpy(&native, &half, 2);
    const double value = load_element(DType::f16, &half, 0);
    if (std::isnan(double(native))) {
      EXPECT_TRUE(std::isnan(value));
      continue;
    }
    EXPECT_EQ(value, double(native));
    for (double probe : {value, value * (1 + 0x1p-11), value * (1 + 0x1p-12), value + 0x1p-25})
      EXPECT_EQ(round_to(DType::f16, probe), double(_Float16(probe))) << bits << " " << probe;
  }
}

TEST(DType, Bf16RoundsToNearestEven) {
  EXPECT_EQ(round_to(DType::bf16, 1 + 0x1p-8), 1.0);
  EXPECT_EQ(round_to(DType::bf16, 1 + 3 * 0x1p-8), 1 + 0x1p-6);
  EXPECT_EQ(round_to(DType::bf16, 0x1p-133), 0x1p-133);
  EXPECT_EQ(round_to(DType::bf16, 0x1p-134), 0.0);
  EXPECT_EQ(round_to(DType::bf16, 3.4e38), std::numeric_limits<double>::infinity());
}

TEST(DType, IntegersRoundHalfToEvenAndSaturate) {
  EXPECT_EQ(round_to(DType::i8, 2.5), 2);
  EXPECT_EQ(round_to(DType::i8, 3.5), 4);
  EXPECT_EQ(round_to(DType::i8, 300), 127);
  EXPECT_EQ(round_to(DType::i8, -300), -128);
}

TEST(DType, F8SaturatesAndKeepsNaN) {
  EXPECT_EQ(round_to(DType::f8e4m3, 500), 448);
  EXPECT_EQ(round_to(DType::f8e4m3, -0x1p-9), -0x1p-9);
  EXPECT_TRUE(std::isnan(round_to(DType::f8e4m3, NAN)));
}

} // namespace
} // namespace normforge
