// Lockfiles as text, damaged ones too, and what an entry serves.
#include "autotune/lockfile.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "autotune/checked_line.h"
#include "autotune/locked_choices.h"
#include "codegen/hash.h"
#include "codegen/toolchain.h"
#include "dsl/error.h"

namespace normforge {
namespace {

const Device kDevice{"AMD EPYC 9B45", "x86-64-v4", {48 << 10, 1 << 20, 32 << 20}, 2};

LockEntry entry(const std::string &problem, const std::string &target = "x86-64-v3") {
  const Problem parsed = parse_problem(problem);
  const Target &level = find_target(target);
  const Schedule schedule = backend_for(level).default_schedule(make_sweep_plan(parsed), level);
  return {problem, target, to_text(schedule, backend_for(level).knobs()), hash_text(parsed.norm->hash), toolchain(), fingerprint(kDevice),
          1.25};
}

std::string refusal(const std::string &text) {
  try {
    parse_lockfile(text, "norms.lock");
  } catch (const UserError &error) {
    return error.what();
  }
  return "";
}

TEST(Lockfile, RoundTrips) {
  Lockfile lockfile{
      {entry("softmax rows=1..7 cols=768"), entry("softmax rows=8.. cols=768"), entry("softmax rows=8.. cols=768", "x86-64-v4")}};
  lockfile.entries[1].pins_numerics = true;
  lockfile.entries[2].gain = 1.0 / 3;
  EXPECT_EQ(parse_lockfile(to_text(lockfile), "norms.lock"), lockfile);
  EXPECT_EQ(parse_lockfile(to_text(Lockfile()), "norms.lock"), Lockfile());
}

TEST(Lockfile, EveryByteChangedIsAnErrorThatNamesTheLine) {
  const std::string text = to_text({{entry("softmax rows=1..7 cols=768"), entry("softmax rows=8.. cols=768")}});
  for (size_t at = 0; at < text.size(); ++at)
    for (const char change : {'\1', '\x80', '\x20'}) {
      std::string damaged = text;
      damaged[at] ^= change;
      const std::string line = std::to_string(1 + std::count(text.begin(), text.begin() + long(at), '\n'));
      EXPECT_TRUE(refusal(damaged).starts_with("norms.lock:" + line + ": ")) << "at byte " << at << ": " << refusal(damaged);
    }
}

TEST(Lockfile, CutAtEveryPlaceIsAnErrorThatNamesTheLine) {
  const std::string text = to_text({{entry("softmax rows=1..7 cols=768"), entry("softmax rows=8.. cols=768")}});
  for (size_t size = 0; size < text.size(); ++size) {
    const std::string line = std::to_string(1 + std::count(text.begin(), text.begin() + long(size), '\n'));
    EXPECT_TRUE(refusal(text.substr(0, size)).starts_with("norms.lock:" + line + ": ")) << "at byte " << size;
  }
}

TEST(Lockfile, RefusesWhatStandsWrong) {
  const std::string one = to_text({{entry("softmax rows=1..7 cols=768")}}), heading = one.substr(0, one.find('\n') + 1);
  const std::string line = one.substr(heading.size());
  EXPECT_NE(refusal(one + line).find(":3: expected the end after 1"), std::string::npos);
  const std::string two = to_text({{entry("softmax rows=1..7 cols=768"), entry("softmax rows=8.. cols=768")}});
  EXPECT_NE(refusal(two.substr(0, two.find('\n') + 1) + line + line).find(":3: expected problems and targets in order"), std::string::npos);
  EXPECT_NE(refusal("<<<<<<< HEAD\n" + one).find(":1: "), std::string::npos);
  std::string object = checked_object(heading.substr(0, heading.size() - 1));
  object.replace(object.find("\"lockfile\":1"), 12, "\"lockfile\":2");
  EXPECT_NE(refusal(checked_line(object) + "\n" + line).find("expected lockfile 1, found 2"), std::string::npos);
}

class Choices : public ::testing::Test {
protected:
  LockedChoices choose(const std::string &problems, const std::string &targets = "x86-64-v3") {
    std::ranges::sort(lockfile.entries);
    return locked_choices(lockfile, parse_problems(problems, "norms.problems"), parse_targets(targets), std::span(&device, 1));
  }

  static std::vector<std::string> texts(const LockedChoices &locked) {
    std::vector<std::string> found;
    for (const KernelChoice &choice : locked.choices)
      found.push_back(to_text(choice.problem) + " @ " + std::string(choice.target->name));
    return found;
  }

  Lockfile lockfile;
  Device device = kDevice;
};

TEST_F(Choices, EntriesServeWhatTheyShareWithAProblem) {
  lockfile.entries = {
      entry("softmax rows=1..7 cols=768"), entry("softmax rows=8.. cols=768"), entry("softmax rows=8.. cols=768", "x86-64-v4"),
      entry("softmax x=bf16 cols=768"),    entry("softmax cols=100"),          entry("rms_norm cols=768")};
  const LockedChoices all = choose("softmax cols=768", "x86-64-v2,x86-64-v3,x86-64-v4");
  EXPECT_EQ(texts(all), (std::vector<std::string>{"softmax rows=1..7 cols=768 @ x86-64-v3", "softmax rows=8.. cols=768 @ x86-64-v3",
                                                  "softmax rows=8.. cols=768 @ x86-64-v4"}));
  EXPECT_EQ(all.missing, (std::vector<std::string>{"'softmax cols=768' for x86-64-v2", "'softmax cols=768' for x86-64-v4"}));
  EXPECT_EQ(all.notes, std::vector<std::string>());
  EXPECT_EQ(texts(choose("softmax rows=5..20 cols=768")),
            (std::vector<std::string>{"softmax rows=5..7 cols=768 @ x86-64-v3", "softmax rows=8..20 cols=768 @ x86-64-v3"}));
  EXPECT_EQ(texts(choose("softmax cols=768\nsoftmax\n")).size(), 3u); // each once, and cols=100
  EXPECT_EQ(texts(choose("softmax cols=768 inplace=y:x")).size(), 0u);
  EXPECT_EQ(texts(choose("softmax cols=768 strides=x:rows")).size(), 0u);
}

TEST_F(Choices, APartIsMissing) {
  lockfile.entries = {entry("softmax rows=1..7 cols=768"), entry("softmax rows=8..20 cols=768"), entry("softmax rows=22.. cols=768")};
  EXPECT_TRUE(choose("softmax rows=1..20 cols=768").missing.empty());
  EXPECT_TRUE(choose("softmax rows=3..15 cols=768").missing.empty());
  EXPECT_TRUE(choose("softmax rows=40 cols=768").missing.empty());
  for (const char *part : {"softmax cols=768", "softmax rows=1..21 cols=768", "softmax rows=21 cols=768", "softmax rows=1..20", "softmax"})
    EXPECT_EQ(choose(part).missing.size(), 1u) << part;
  lockfile.entries.push_back(entry("softmax rows=21 cols=768"));
  EXPECT_TRUE(choose("softmax cols=768").missing.empty());
}

TEST_F(Choices, StatisticsMakeNoDifferenceUnlessThereAreEntriesForThem) {
  const std::string all = "layer_norm cols=768", few = "layer_norm cols=768 outputs=y";
  lockfile.entries = {entry("layer_norm rows=1..7 cols=768"), entry("layer_norm rows=8.. cols=768")};
  EXPECT_EQ(texts(choose(few)), (std::vector<std::string>{"layer_norm rows=1..7 cols=768 outputs=y @ x86-64-v3",
                                                          "layer_norm rows=8.. cols=768 outputs=y @ x86-64-v3"}));
  EXPECT_TRUE(choose(few).missing.empty());
  EXPECT_TRUE(choose("layer_norm cols=768 outputs=mean,rstd").choices.empty()); // without y it is other work
  lockfile.entries.push_back(entry(few));
  EXPECT_EQ(texts(choose(few)), std::vector<std::string>{few + " @ x86-64-v3"});
  EXPECT_EQ(choose(all).choices.size(), 2u);
}

TEST_F(Choices, WhatDiffersIsSaidFieldByField) {
  lockfile.entries = {entry("softmax rows=1..7 cols=768"), entry("softmax rows=8.. cols=768")};
  for (LockEntry &locked : lockfile.entries)
    locked.compiler = "normforge 0.0.9 LLVM 21.1.0";
  const LockedChoices old = choose("softmax cols=768");
  EXPECT_TRUE(old.choices.empty());
  EXPECT_EQ(old.missing.size(), 1u);
  EXPECT_EQ(old.notes,
            std::vector<std::string>{"'softmax rows=1..7 cols=768' for x86-64-v3 and 1 more: not used, the default serves: compiler: "
                                     "locked for 'normforge 0.0.9 LLVM 21.1.0', here it is '" +
                                     toolchain() + "'"});
  EXPECT_TRUE(choose("softmax cols=100").notes.empty()); // nothing to say of what would not serve
  for (LockEntry &locked : lockfile.entries)
    locked.norm = "0123456789abcdef";
  device.cache = {32 << 10, 512 << 10, 4 << 20}; // another last-level cache
  const LockedChoices other = choose("softmax cols=768");
  ASSERT_EQ(other.notes.size(), 1u);
  for (const char *field :
       {"norm text: locked for '0123456789abcdef'", "; compiler: ", "; class of device: locked for 'x86-64-v4 48K/1M/32M"})
    EXPECT_NE(other.notes[0].find(field), std::string::npos) << other.notes[0];
}

TEST_F(Choices, AnotherCpuOfTheClassIsUsedAndSaid) {
  lockfile.entries = {entry("softmax rows=1..7 cols=768")};
  device.name = "AMD EPYC 9654";
  device.cores = 96;
  const LockedChoices locked = choose("softmax cols=768");
  EXPECT_EQ(locked.choices.size(), 1u);
  ASSERT_EQ(locked.notes.size(), 1u);
  EXPECT_NE(locked.notes[0].find("used, though"), std::string::npos) << locked.notes[0];
  EXPECT_NE(locked.notes[0].find("AMD EPYC 9654"), std::string::npos) << locked.notes[0];
}

TEST_F(Choices, AScheduleThatTheBackendRefusesIsNotUsed) {
  lockfile.entries = {entry("softmax cols=768")};
  lockfile.entries[0].schedule += " prefetch=1 rows=2";
  EXPECT_EQ(choose("softmax cols=768").choices.size(), 1u);
  const LockedChoices single = choose("softmax rows=1 cols=768"); // no further rows to work on
  EXPECT_TRUE(single.choices.empty());
  ASSERT_EQ(single.notes.size(), 1u);
  lockfile.entries[0].schedule = "two_pass lanes=32 speed=11";
  ASSERT_EQ(choose("softmax cols=768").notes.size(), 1u);
  EXPECT_NE(choose("softmax cols=768").notes[0].find("unknown knob 'speed'"), std::string::npos);
}

} // namespace
} // namespace normforge
