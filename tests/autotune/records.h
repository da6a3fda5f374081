// Records to try things on.
#pragma once

#include "autotune/record.h"

namespace normforge::testing {

/// A measured Record; those of different `number` have different keys.
inline Record measured(int number, uint64_t run = 1) {
  Record record;
  record.key = {"0123456789abcdef",
                "softmax rows=1.." + std::to_string(number + 1) + " cols=768",
                "x86-64-v3",
                "two_pass lanes=32 chunk=1024 fold=high fma=on | rows=2",
                "fedcba9876543210",
                "normforge 0.1.0 LLVM 22.1.8",
                "x86-64-v3 32K/512K/32M 8 cores AMD Ryzen 7"};
  record.deviation = 0.1 + number;
  record.samples = {{.run = run, .rounds = {0, 2, 5}, .seconds = {1e-3, 1.0 / 3, 2e-6 * (number + 1)}}};
  return record;
}

} // namespace normforge::testing
