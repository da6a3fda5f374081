// What stands in the PTX of every norm: nothing approximate, nothing flushed to zero, no multiplication fused with an addition unless the
// schedule says fma=on, and no calls.
#include <regex>

#include <gtest/gtest.h>

#include "tests/cuda/variants.h"

namespace normforge::testing {
namespace {

/// Without a rounding mode (.rn), ptxas may fuse.
const std::regex
    kLoose("\\.approx|\\.ftz|\\.full|rsqrt|\\b(add|sub|mul|fma)\\.f(32|64)|\\bmad\\.[a-z.]*f(32|64)|ex2|lg2|tanh|sin\\.|cos\\.");
const std::regex kFused("\\bfma\\.");
const std::regex kCall("\\bcall\\b");

TEST(Ptx, RoundsEachOperationToNearestAndCallsNothing) {
  for_each_variant([](const Variant &variant) {
    SCOPED_TRACE(variant.name);
    const auto lacks = [&](const std::regex &what) {
      std::smatch found;
      EXPECT_FALSE(std::regex_search(variant.kernel.object, found, what)) << found.str() << " in " << found.prefix().str().substr(0, 80);
    };
    lacks(kLoose);
    lacks(kCall);
    if (!variant.schedule.numerics.fma)
      lacks(kFused);
  });
}

TEST(Ptx, LooseCodeIsFound) {
  for (const char *line : {"mul.f32 %f1, %f2, %f3;", "mad.f32 %f1", "sqrt.approx.f32 %f1", "add.rn.ftz.f32 %f1", "rsqrt.approx.f32"})
    EXPECT_TRUE(std::regex_search(line, kLoose)) << line;
  for (const char *line : {"mul.rn.f32 %f1, %f2, %f3;", "mad.lo.s64 %rd1", "add.rn.f64 %fd1", "div.rn.f32 %f1", "sqrt.rn.f32"})
    EXPECT_FALSE(std::regex_search(line, kLoose)) << line;
}

} // namespace
} // namespace normforge::testing
