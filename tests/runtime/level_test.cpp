// The environment variable that forces a CPU level. It is read once in a process, so each case has a process of its own. The CPU of this
// program has level 3, whatever the machine: cpu.cpp stays out of it.
#include <gtest/gtest.h>
#include <stdlib.h>

#include "runtime/cpu.h"
#include "tests/runtime/sample.h"

extern "C" int nf_cpu_level(void) { return 3; }

namespace normforge::testing {
namespace {

int nothing_ran = 1;
void run(const nf_kernel_args *, int64_t, int64_t) { nothing_ran = 0; }

/// Exits with 20 * the level in force, 1 more where a call is refused for the level; with 99 where forcing is.
[[noreturn]] void probe(const char *variable, int forced) {
  if (variable)
    setenv("NORMFORGE_LEVEL", variable, 1);
  else
    unsetenv("NORMFORGE_LEVEL");
  if (forced >= 0 && nf_force_level(forced) != NF_OK)
    exit(99);
  float ys[1];
  Sample sample;
  sample.add_axis("rows", 1);
  sample.add_tensor("y", NF_OUTPUT, NF_F32, {0}, ys);
  sample.add_kernel("kernel", run, {.outer = 1, .tiled = 0, .tile = 1, .times = 1});
  const nf_status status = sample.call();
  setenv("NORMFORGE_LEVEL", "2", 1); // too late
  exit(nf_level() * 20 + (status == NF_OK && !nothing_ran ? 0 : status == NF_LEVEL_UNSUPPORTED && nothing_ran ? 1 : 2));
}

void expect(const char *variable, int forced, int level, bool runs) {
  EXPECT_EXIT(probe(variable, forced), ::testing::ExitedWithCode(level * 20 + !runs), "")
      << (variable ? variable : "unset") << " " << forced;
}

TEST(LevelTest, TheMachinesWhereNothingIsSaid) {
  expect(nullptr, -1, 3, true);
  expect("", -1, 3, true);
}

TEST(LevelTest, TheVariables) {
  expect("2", -1, 2, true);
  expect("3", -1, 3, true);
}

TEST(LevelTest, AnythingElseInTheVariableIsRefused) {
  for (const char *bad : {"4", "1", "5", "9", "0", "-2", "22", " 2", "v3", "x86-64-v3", "native"})
    expect(bad, -1, 0, false);
}

TEST(LevelTest, WhatTheProgramForcesComesFirst) {
  expect("bad", 2, 2, true);
  expect("2", 0, 3, true);
  expect(nullptr, 2, 2, true);
}

TEST(LevelTest, ALevelThatTheCpuLacksCannotBeForced) {
  for (const int32_t bad : {1, 4, 5})
    EXPECT_EXIT(probe(nullptr, bad), ::testing::ExitedWithCode(99), "") << bad;
}

} // namespace
} // namespace normforge::testing
