// ptxas, where there is one, assembles the kernels for the architecture that they are for. No kernel spills registers, uses local memory,
// or loads less at once than its schedule promises.
#include <cstdlib>
#include <sstream>

#include <gtest/gtest.h>

#include "codegen/resources.h"
#include "tests/cuda/variants.h"

namespace normforge::testing {
namespace {

const bool kLong = std::getenv("NORMFORGE_LONG") != nullptr;

TEST(Ptxas, AssemblesEveryVariantWithoutSpills) {
  if (find_ptxas().empty())
    GTEST_SKIP() << "no ptxas";
  int number = 0;
  for_each_variant([&](const Variant &variant) {
    if (!kLong && number++ % 5)
      return;
    SCOPED_TRACE(variant.name);
    std::istringstream table(resource_table(variant.kernel, *variant.target));
    std::string line;
    std::getline(table, line); // its heading
    for (const Step &step : variant.kernel.steps) {
      std::string symbol;
      int64_t registers = 0, spilled = 0, local = 0, shared = 0, threads = 0, access = 0, promised = 0;
      std::string warps, moved;
      table >> symbol >> registers >> spilled >> local >> shared >> threads >> warps >> access >> promised >> moved;
      EXPECT_EQ(symbol, step.symbol);
      EXPECT_GT(registers, 0);
      EXPECT_EQ(spilled, 0);
      EXPECT_EQ(local, 0);
      EXPECT_GE(access, promised);
      EXPECT_EQ(threads, step.launch.threads * step.launch.rows);
    }
  });
}

} // namespace
} // namespace normforge::testing
