// The lockfiles that come with normforge: whole, about the norms and the compiler of today, and used by a build that names no other.
#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

#include "autotune/choose.h"
#include "autotune/common_lock.h"
#include "autotune/locked_choices.h"
#include "dsl/error.h"

namespace normforge {
namespace {

std::vector<Problem> common_problems() {
  std::ifstream file(NORMFORGE_COMMON_PROBLEMS);
  std::stringstream text;
  text << file.rdbuf();
  return parse_problems(text.str(), "common.problems");
}

TEST(CommonLock, HasAnEntryForEachDeviceItStandsFor) {
  ASSERT_FALSE(common_lockfiles().empty());
  for (const Lockfile &lockfile : common_lockfiles()) {
    std::set<std::string> devices;
    for (const LockEntry &entry : lockfile.entries)
      devices.insert(entry.device);
    EXPECT_EQ(devices.size(), 1u);
  }
}

// Where this fails, a norm's text, a numerics half or a knob has changed: ./dev locks tunes the common sizes again.
TEST(CommonLock, ServesEveryProblemThatItIsAbout) {
  const std::vector<Problem> problems = common_problems();
  for (const Lockfile &lockfile : common_lockfiles())
    for (const LockEntry &entry : lockfile.entries) {
      const Problem problem = parse_problem(entry.problem);
      const Target &target = find_target(entry.target);
      EXPECT_TRUE(std::ranges::any_of(problems, [&](const Problem &common) { return lies_within(problem, common); })) << entry.problem;
      const Target *targets[] = {&target};
      const LockedChoices locked = locked_choices(lockfile, std::span(&problem, 1), targets, {});
      EXPECT_TRUE(locked.missing.empty()) << entry.problem;
      EXPECT_EQ(locked.notes, std::vector<std::string>());
      for (const KernelChoice &choice : locked.choices) {
        EXPECT_FALSE(choice.pins_numerics);
        EXPECT_EQ(choice.schedule.numerics, pinned_numerics(problem, target)) << entry.problem;
      }
    }
}

TEST(CommonLock, IsChosenByClassAndName) {
  const Lockfile &first = common_lockfiles().front();
  EXPECT_EQ(&common_lockfile(nullptr), &first);
  Device device = parse_fingerprint(first.entries.front().device);
  EXPECT_EQ(&common_lockfile(&device), &first);
  device.name = "another of its class";
  EXPECT_EQ(&common_lockfile(&device), &first);
  for (int64_t &bytes : device.cache)
    bytes *= 64;
  EXPECT_TRUE(common_lockfile(&device).entries.empty());
}

} // namespace
} // namespace normforge
