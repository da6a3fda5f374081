// Records as lines, and their union.
#include "autotune/record.h"

#include <bit>
#include <cfloat>
#include <cmath>
#include <gtest/gtest.h>
#include <random>

#include "autotune/checked_line.h"
#include "autotune/database.h"
#include "dsl/error.h"
#include "tests/autotune/records.h"
#include "llvm/Support/JSON.h"

namespace normforge {
namespace {

using testing::measured;

std::string refusal(const std::string &line) {
  try {
    parse_record(line);
  } catch (const UserError &error) {
    return error.what();
  }
  return "";
}

TEST(Record, LineRoundTrips) {
  Record record = measured(3);
  record.samples.push_back({.run = ~uint64_t(0), .regime = Regime::cold, .threads = 2, .confirms = true, .rounds = {7}, .seconds = {0.5}});
  record.samples.push_back(
      {.run = ~uint64_t(0), .regime = Regime::cold, .threads = 2, .confirms = true, .twin = true, .rounds = {7}, .seconds = {0.25}});
  EXPECT_EQ(parse_record(to_line(record)), record);
  Record rejected{record.key, "gate: y differs at [1,\"2\"]\nby 3 \\ 4 ≠"};
  rejected.key.code.clear();
  EXPECT_EQ(parse_record(to_line(rejected)), rejected);
  EXPECT_EQ(to_line(rejected).find('\n'), std::string::npos);
}

TEST(Record, LineIsJsonForAnyTool) {
  auto value = llvm::json::parse(to_line(measured(3)));
  ASSERT_TRUE(bool(value));
  const llvm::json::Object &object = *value->getAsObject();
  EXPECT_EQ(object.getString("problem"), "softmax rows=1..4 cols=768");
  const llvm::json::Object &samples = *(*object.getArray("samples"))[0].getAsObject();
  EXPECT_EQ(samples.getString("run"), "0000000000000001");
  EXPECT_EQ((*samples.getArray("seconds"))[1].getAsNumber(), 1.0 / 3);
}

TEST(Record, EveryDoubleComesBack) {
  std::mt19937_64 random(1);
  Record record = measured(0);
  for (double value : {DBL_MIN, DBL_MAX, DBL_TRUE_MIN, 1.0, 1e15, 123456789012345680.0, 1e22, 0.1})
    record.samples[0].seconds.push_back(value);
  for (int i = 0; i < 100000; ++i) {
    const double value = std::abs(std::bit_cast<double>(random()));
    if (std::isfinite(value) && value > 0)
      record.samples[0].seconds.push_back(value);
  }
  record.samples[0].rounds.clear();
  for (int i = 0; i < int(record.samples[0].seconds.size()); ++i)
    record.samples[0].rounds.push_back(i);
  EXPECT_TRUE(parse_record(to_line(record)) == record);
}

TEST(Record, TextThatIsNotUtf8IsMended) {
  const Record record{measured(0).key, "crash: \xff\xfe"};
  const Record read = parse_record(to_line(record));
  EXPECT_EQ(to_line(read), to_line(record));
  EXPECT_TRUE(read.rejected.starts_with("crash: "));
}

TEST(Record, RefusesWhatIsNoRecord) {
  EXPECT_NE(refusal("").find("check"), std::string::npos);
  EXPECT_NE(refusal("{\"check\":\"0123456789abcdef\",\"norm\":\"\"}").find("checksum"), std::string::npos);
  const std::string object = checked_object(to_line(measured(0)));
  EXPECT_EQ(refusal(checked_line(object)), "");
  const auto replaced = [&](const std::string &from, const std::string &to) {
    std::string text = object;
    text.replace(text.find(from), from.size(), to);
    return refusal(checked_line(text));
  };
  EXPECT_NE(replaced("\"target\"", "\"tarket\"").find("target"), std::string::npos);
  EXPECT_NE(replaced("\"threads\":1", "\"threads\":\"1\"").find("threads"), std::string::npos);
  EXPECT_NE(replaced("\"threads\":1", "\"threads\":0").find("threads"), std::string::npos);
  EXPECT_NE(replaced("warm", "hot").find("warm or cold"), std::string::npos);
  EXPECT_NE(replaced("0000000000000001", "000000000000001").find("16"), std::string::npos);
  EXPECT_NE(replaced("[0,2,5]", "[0,5,2]").find("rounds"), std::string::npos);
  EXPECT_NE(replaced("[0,2,5]", "[0,2]").find("rounds"), std::string::npos);
  EXPECT_NE(replaced("[0.001", "[-0.001").find("seconds"), std::string::npos);
  EXPECT_NE(replaced("]}]}", "]}]").find("no Record"), std::string::npos);
}

/// Records of few keys, runs and rounds, so that they meet. As in life, a round of a run has one time.
Record arbitrary(std::mt19937 &random) {
  const auto below = [&](int n) { return int(random() % unsigned(n)); };
  Record record = measured(below(2));
  record.samples.clear();
  if (below(3) == 0)
    record.rejected = below(2) ? "gate: y" : "hang: 10 s";
  for (int run = 0; run < 3; ++run) {
    Samples samples{.run = uint64_t(run), .regime = Regime(run % 2), .twin = run == 2};
    for (int round = 0; round < 4; ++round)
      if (below(2)) {
        samples.rounds.push_back(round);
        samples.seconds.push_back(1 + run + 0.1 * round);
      }
    if (!samples.rounds.empty() && below(2))
      record.samples.push_back(samples);
  }
  return record;
}

Database united(const std::vector<Record> &records) {
  Database database;
  for (const Record &record : records)
    database.add(record);
  return database;
}

TEST(Database, UnionHasNoOrderAndNothingTwice) {
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    std::vector<Record> records;
    for (int r = 0; r < 6; ++r)
      records.push_back(arbitrary(random));
    const Database all = united(records);
    std::vector<Record> shuffled = records;
    shuffled.insert(shuffled.end(), records.begin(), records.end());
    std::ranges::shuffle(shuffled, random);
    EXPECT_EQ(to_text(united(shuffled)), to_text(all));
    for (const Record &record : records) { // nothing is lost
      const Record *kept = all.find(record.key);
      ASSERT_NE(kept, nullptr);
      EXPECT_EQ(merge(*kept, record), *kept);
      for (const Samples &samples : record.samples)
        for (size_t s = 0; s < samples.rounds.size(); ++s)
          EXPECT_TRUE(std::ranges::any_of(kept->samples, [&](const Samples &other) {
            const auto at = std::ranges::find(other.rounds, samples.rounds[s]);
            return other.run == samples.run && at != other.rounds.end() &&
                   other.seconds[size_t(at - other.rounds.begin())] == samples.seconds[s];
          }));
      EXPECT_TRUE(record.rejected.empty() || !kept->rejected.empty());
    }
  }
}

} // namespace
} // namespace normforge
