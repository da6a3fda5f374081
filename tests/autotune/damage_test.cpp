// Files that are not as they were written: every byte changed, the end cut off at every place.
#include <algorithm>
#include <gtest/gtest.h>

#include "autotune/database.h"
#include "dsl/error.h"
#include "tests/autotune/records.h"
#include "tests/package/temporary.h"

namespace normforge {
namespace {

using testing::measured;

struct Reading {
  Database database;
  std::vector<std::string> warnings;
};

class Damage : public ::testing::Test {
protected:
  Damage() {
    for (int i = 0; i < 4; ++i) {
      whole.add(measured(i));
      line_end.push_back(to_text(whole).size());
    }
    text = to_text(whole);
    line_end.clear();
    for (size_t at = 0; at < text.size(); ++at)
      if (text[at] == '\n')
        line_end.push_back(at);
  }

  Reading read(const std::string &damaged) {
    Reading reading;
    reading.database = parse_database(damaged, path, [&](const std::string &warning) { reading.warnings.push_back(warning); });
    return reading;
  }

  /// Every Record that was read is one that was written; how many there are.
  void expect_intact(const Reading &reading, size_t count, size_t at) {
    for (const auto &[key, record] : reading.database.records()) {
      const Record *written = whole.find(key);
      EXPECT_TRUE(written && *written == record) << "at byte " << at;
    }
    EXPECT_EQ(reading.database.records().size(), count) << "at byte " << at;
  }

  testing::TemporaryDirectory directory;
  std::string path = directory / "records.jsonl";
  Database whole;
  std::string text;
  std::vector<size_t> line_end; ///< where the newlines are
};

TEST_F(Damage, EveryByteChanged) {
  for (size_t at = 0; at < text.size(); ++at)
    for (const char change : {'\1', '\x80', '\x20'}) {
      std::string damaged = text;
      damaged[at] ^= change;
      const size_t line = size_t(std::ranges::lower_bound(line_end, at) - line_end.begin());
      const bool joined = text[at] == '\n' && line + 1 < line_end.size();
      const Reading reading = read(damaged);
      expect_intact(reading, line_end.size() - (joined ? 2 : 1), at);
      ASSERT_EQ(reading.warnings.size(), damaged[at] == '\n' ? 2u : 1u) << "at byte " << at;
      EXPECT_TRUE(reading.warnings[0].starts_with(path + ":" + std::to_string(line + 1) + ": ")) << reading.warnings[0];
    }
}

TEST_F(Damage, CutAtEveryPlace) {
  for (size_t size = 0; size < text.size(); ++size) {
    const Reading reading = read(text.substr(0, size));
    const size_t complete = size_t(std::ranges::upper_bound(line_end, size) - line_end.begin()); // the newline alone is no loss
    expect_intact(reading, complete, size);
    const bool partial = size > 0 && text[size - 1] != '\n' && text[size] != '\n';
    ASSERT_EQ(reading.warnings.size(), partial ? 1u : 0u) << "at byte " << size;
    if (partial)
      EXPECT_TRUE(reading.warnings[0].starts_with(path + ":" + std::to_string(complete + 1) + ": ")) << reading.warnings[0];
  }
}

TEST_F(Damage, AppendingToACutFileSpoilsNothing) {
  for (size_t size = 0; size < text.size(); size += 7) {
    const Reading before = read(text.substr(0, size));
    testing::write(path, text.substr(0, size));
    append_records(path, std::vector{measured(9)});
    const Reading after = {read_database(path, [](const std::string &) {}), {}};
    EXPECT_EQ(after.database.records().size(), before.database.records().size() + 1);
    EXPECT_NE(after.database.find(measured(9).key), nullptr);
  }
}

TEST_F(Damage, OtherFiles) {
  EXPECT_EQ(read(std::string(1 << 20, '\0')).warnings.size(), 1u);
  EXPECT_EQ(read(std::string(1 << 20, '[')).warnings.size(), 1u);
  EXPECT_EQ(read("{}\n\n{\"check\":\"\"}\n").warnings.size(), 2u);
  const std::string missing = directory / "none";
  EXPECT_EQ(read_database(missing, nullptr), Database());
  EXPECT_THROW(read_database(directory / ".", nullptr), UserError);
}

} // namespace
} // namespace normforge
