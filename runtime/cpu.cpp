#include "runtime/cpu.h"

#include <cpuid.h>
#include <stdint.h>

namespace {

struct Registers {
  uint32_t a, b, c, d;
};

Registers cpuid(uint32_t leaf) {
  Registers r{};
  __get_cpuid_count(leaf, 0, &r.a, &r.b, &r.c, &r.d);
  return r;
}

// The register state that the operating system saves (XCR0).
uint64_t enabled_state() {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

constexpr uint32_t bit(int i) { return 1u << i; }
constexpr bool has(uint32_t value, uint32_t bits) { return (value & bits) == bits; }

// The x86-64 psABI's micro-architecture levels.
int detect() {
  const Registers basic = cpuid(1), extended = cpuid(7), amd = cpuid(0x80000001);
  const uint32_t v2 = bit(0) | bit(9) | bit(13) | bit(19) | bit(20) | bit(23); // sse3 ssse3 cx16 sse4.1 sse4.2 popcnt
  if (!has(basic.c, v2) || !has(amd.c, bit(0)))
    return 1;
  const uint32_t v3_basic = bit(12) | bit(22) | bit(27) | bit(28) | bit(29); // fma movbe osxsave avx f16c
  const uint32_t v3_extended = bit(3) | bit(5) | bit(8);                     // bmi1 avx2 bmi2
  if (!has(basic.c, v3_basic) || !has(extended.b, v3_extended) || !has(amd.c, bit(5)) || (enabled_state() & 0x6) != 0x6)
    return 2;
  const uint32_t v4 = bit(16) | bit(17) | bit(28) | bit(30) | bit(31); // avx512 f dq cd bw vl
  if (!has(extended.b, v4) || (enabled_state() & 0xe6) != 0xe6)
    return 3;
  return 4;
}

} // namespace

// No lock: every thread that races here finds the same answer.
extern "C" int nf_cpu_level(void) {
  static int level;
  int known = __atomic_load_n(&level, __ATOMIC_RELAXED);
  if (known == 0) {
    known = detect();
    __atomic_store_n(&level, known, __ATOMIC_RELAXED);
  }
  return known;
}
