#include "codegen/schedule.h"

#include <gtest/gtest.h>

#include "dsl/error.h"

namespace normforge {
namespace {

constexpr int64_t kRows[] = {1, 2, 4};
constexpr int64_t kGrain[] = {0, 65536, 1048576};
constexpr int64_t kStore[] = {0, 1};
constexpr std::string_view kStoreWords[] = {"normal", "stream"};
constexpr Knob kKnobs[] = {{"rows", "", kRows, {}}, {"store", "", kStore, kStoreWords}, {"grain", "", kGrain, {}}};
const Schedule kBase{{}, {{1, 0, 65536}}};

std::string message(std::string_view text) {
  try {
    parse_schedule(text, kKnobs, kBase);
  } catch (const UserError &error) {
    return error.what();
  }
  return "no error";
}

TEST(Schedule, TextRoundTripsForEveryCombination) {
  for (auto algorithm : {Numerics::two_pass, Numerics::chunked})
    for (int lanes : {1, 32, 128})
      for (int64_t chunk : {128, 1024})
        for (bool fma : {false, true})
          for (int64_t rows : kRows)
            for (int64_t store : kStore)
              for (int64_t grain : kGrain) {
                const Schedule schedule{{algorithm, lanes, chunk, !fma, fma}, {{rows, store, grain}}};
                EXPECT_EQ(parse_schedule(to_text(schedule, kKnobs), kKnobs, kBase), schedule);
              }
  EXPECT_EQ(to_text(kBase, kKnobs), "two_pass lanes=32 chunk=1024 fold=high fma=off | rows=1 store=normal grain=64K");
}

TEST(Schedule, WhatTheTextLeavesOutStaysAsItWas) {
  const Schedule some = parse_schedule("chunked store=stream", kKnobs, kBase);
  EXPECT_EQ(to_text(some, kKnobs), "chunked lanes=32 chunk=1024 fold=high fma=off | rows=1 store=stream grain=64K");
  EXPECT_EQ(parse_schedule("", kKnobs, kBase), kBase);
  EXPECT_EQ(parse_schedule("| rows=2", kKnobs, kBase).mapping.values[0], 2);
}

TEST(Schedule, WhatTheTextSaysOfTheMappingIsToldFromWhatItLeavesOpen) {
  const MappingChoices choices = mapping_choices("lanes=64 | grain=1M rows=2", kKnobs);
  EXPECT_EQ(choices, (MappingChoices{2, std::nullopt, 1 << 20}));
  EXPECT_FALSE(is_settled(choices, 1));
  EXPECT_FALSE(is_settled({}, 0));
  EXPECT_EQ(with_choices({{4, 1, 0}}, choices), (Mapping{{2, 1, 1 << 20}}));
  EXPECT_EQ(with_choices({{4, 1, 0}}, {}), (Mapping{{4, 1, 0}}));
}

TEST(Schedule, ErrorsSayWhatWasGotAndWhatThereIs) {
  EXPECT_EQ(
      message("row=2"),
      "schedule: unknown knob 'row'; did you mean 'rows'? (there are: two_pass, chunked, lanes, chunk, fold, fma, rows, store, grain)");
  EXPECT_EQ(message("rows=3"), "schedule: rows=3: not a power of two, expected one of 1, 2, 4");
  EXPECT_EQ(message("rows=8"), "schedule: rows=8: out of reach, expected one of 1, 2, 4");
  EXPECT_EQ(message("grain=3"), "schedule: grain=3: out of reach, expected one of 0, 64K, 1M");
  EXPECT_EQ(message("rows=two"), "schedule: rows=two: not a number, expected one of 1, 2, 4");
  EXPECT_EQ(message("rows"), "schedule: rows=: not a number, expected one of 1, 2, 4");
  EXPECT_EQ(message("store=fast"), "schedule: store=fast: unknown value, expected one of normal, stream");
  EXPECT_EQ(message("lanes=24"),
            "schedule: lanes=24: not a power of two, expected one of 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, "
            "4096, 8192");
  EXPECT_EQ(message("grain=99999999999999999999M"), "schedule: grain=99999999999999999999M: not a number, expected one of 0, 64K, 1M");
}

} // namespace
} // namespace normforge
