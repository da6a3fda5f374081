// Choices from made-up Records, whose winner is known.
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "autotune/bands.h"
#include "autotune/borders.h"
#include "autotune/choose.h"
#include "codegen/hash.h"

namespace normforge::testing {
namespace {

constexpr char kDefault[] = "two_pass lanes=32 chunk=1024 fold=high fma=off | rows=1";

Question question(const std::string &problem) { return {parse_problem(problem), "x86-64-v3", "toolchain", "device", kDefault, 1}; }

/// A schedule's true log-ratios against the default: warm and cold.
struct Truth {
  std::string schedule;
  double warm, cold;
};

/// Records as a search leaves them: each shape's samples disturbed by `jitter`, and by bursts of other work unless `calm`.
class MadeUp {
public:
  MadeUp(Question question, uint64_t seed, double jitter) : question(std::move(question)), random(seed), noise(0, jitter) {}

  void measure(const std::string &shape, const std::vector<Truth> &truths, int rounds = 15) {
    std::vector<Record> records;
    const auto record = [&](const std::string &schedule) {
      return Record{{hash_text(question.problem.norm->hash), to_text(parse_problem(shape)), question.target, schedule,
                     hash_text(hash_of(schedule)), question.compiler, question.device},
                    "",
                    0.5,
                    {}};
    };
    records.push_back(record(kDefault));
    for (const Truth &truth : truths)
      records.push_back(record(truth.schedule));
    for (const auto &[regime, confirms] : {std::pair(Regime::warm, false), {Regime::warm, true}, {Regime::cold, true}}) {
      const uint64_t run = random();
      for (size_t i = 0; i <= records.size(); ++i) { // the last is the default's twin
        const bool twin = i == records.size();
        Samples samples{run, regime, 1, confirms, twin, {}, {}};
        const double truth = i == 0 || twin ? 0 : regime == Regime::warm ? truths[i - 1].warm : truths[i - 1].cold;
        for (int round = 0; round < rounds; ++round) {
          samples.rounds.push_back(round);
          samples.seconds.push_back(1e-6 * std::exp(truth + noise(random) + (!calm && random() % 10 == 0 ? 0.5 : 0)));
        }
        records[twin ? 0 : i].samples.push_back(samples);
      }
    }
    for (const Record &each : records)
      database.add(each);
  }

  Answer answer() const { return choose(database, question); }

  Question question;
  Database database;
  bool calm = false;

private:
  std::mt19937_64 random;
  std::normal_distribution<double> noise;
};

std::string mapping(int rows) { return std::string(kDefault).replace(std::string(kDefault).size() - 1, 1, std::to_string(rows)); }

TEST(Choose, WithoutRecordsTheDefaultServesAll) {
  const Answer answer = choose({}, question("layer_norm rows=1..512 cols=64"));
  ASSERT_EQ(answer.bands.size(), 1u);
  EXPECT_EQ(answer.bands[0].schedule, kDefault);
  EXPECT_EQ(to_text(answer.bands[0].problem), "layer_norm rows=1..512 cols=64");
  EXPECT_EQ(answer.bands[0].gain, 1);
}

TEST(Choose, TheFastestWins) {
  MadeUp records(question("layer_norm rows=8 cols=64"), 1, 0.01);
  records.measure("layer_norm rows=8 cols=64", {{mapping(2), -0.2, -0.2}, {mapping(4), -0.3, -0.1}, {mapping(8), 0.4, 0.4}});
  const Answer answer = records.answer();
  ASSERT_EQ(answer.bands.size(), 1u);
  EXPECT_EQ(answer.bands[0].schedule, mapping(4));
  EXPECT_NEAR(answer.bands[0].gain, std::exp(0.3), 0.05);
  ASSERT_EQ(answer.shapes.size(), 1u);
  EXPECT_EQ(answer.shapes[0].standings.front().schedule, kDefault);
  EXPECT_EQ(answer.shapes[0].standings.back().schedule, mapping(8));
}

TEST(Choose, LosingMoreWhenColdDoesNotWin) {
  MadeUp records(question("layer_norm rows=8 cols=64"), 2, 0.01);
  records.measure("layer_norm rows=8 cols=64", {{mapping(2), -0.2, 0.4}, {mapping(4), -0.1, 0}});
  EXPECT_EQ(records.answer().bands[0].schedule, mapping(4));
  MadeUp others(question("layer_norm rows=8 cols=64"), 2, 0.01);
  others.measure("layer_norm rows=8 cols=64", {{mapping(2), -0.3, 0.1}, {mapping(4), -0.1, 0}});
  EXPECT_EQ(others.answer().bands[0].schedule, mapping(2));
}

TEST(Choose, WhatIsLostWhenColdIsTakenOffTheGain) {
  MadeUp records(question("layer_norm rows=8 cols=64"), 2, 0.005);
  records.measure("layer_norm rows=8 cols=64", {{mapping(2), -0.3, 0.2}, {mapping(4), -0.2, -0.2}});
  const Answer answer = records.answer();
  EXPECT_EQ(answer.bands[0].schedule, mapping(4));
  const ShapeResult &shape = answer.shapes[0];
  EXPECT_TRUE(wins(shape, *shape.find(mapping(2)))); // better than the default, but not the best
  EXPECT_NEAR(cost(shape, *shape.find(mapping(2))), -0.1, 0.03);
  EXPECT_NEAR(cost(shape, *shape.find(mapping(4))), -0.2, 0.03);
  EXPECT_NEAR(answer.bands[0].gain, std::exp(0.2), 0.03);
}

TEST(Choose, ARejectedScheduleNeverWins) {
  MadeUp records(question("layer_norm rows=8 cols=64"), 3, 0.01);
  records.measure("layer_norm rows=8 cols=64", {{mapping(2), -0.5, -0.5}});
  Record record = records.database.records().begin()->second;
  for (const auto &[key, each] : records.database.records())
    if (key.schedule == mapping(2))
      record = each;
  record.rejected = "gate: y differs";
  record.samples.clear();
  records.database.add(record);
  const Answer answer = records.answer();
  EXPECT_EQ(answer.bands[0].schedule, kDefault);
  ASSERT_EQ(answer.rejections.size(), 1u);
  EXPECT_EQ(answer.rejections[0].why, "gate: y differs");
}

TEST(Choose, RecordsOfOtherQuestionsDoNotCount) {
  MadeUp records(question("layer_norm rows=8 cols=64"), 4, 0.01);
  records.measure("layer_norm rows=8 cols=64", {{mapping(2), -0.5, -0.5}});
  records.measure("layer_norm rows=8 cols=65", {{mapping(4), -0.7, -0.7}});
  EXPECT_EQ(records.answer().bands[0].schedule, mapping(2));
  for (auto change : std::initializer_list<void (*)(Question &)>{
           [](Question &q) { q.compiler = "other"; }, [](Question &q) { q.device = "other"; }, [](Question &q) { q.target = "other"; },
           [](Question &q) { q.threads = 2; }, [](Question &q) { q.problem = parse_problem("rms_norm rows=8 cols=64"); }}) {
    Question other = records.question;
    change(other);
    EXPECT_EQ(choose(records.database, other).bands[0].schedule, kDefault);
  }
}

TEST(Choose, NoiseIsNoWinner) {
  int winners = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    MadeUp records(question("layer_norm rows=8 cols=64"), 100 + seed, 0.03);
    records.measure("layer_norm rows=8 cols=64", {{mapping(2), 0, 0}, {mapping(4), 0, 0}});
    winners += records.answer().bands[0].schedule != kDefault;
  }
  EXPECT_LE(winners, 5);
}

TEST(Choose, OfEqualsTheDefaultStays) {
  MadeUp records(question("layer_norm rows=1..100000 cols=64"), 5, 0.01);
  for (const char *rows : {"1", "64", "4096"}) // mapping(0) stands before the default in any sorted list
    records.measure(std::string("layer_norm rows=") + rows + " cols=64", {{mapping(0), 0, 0}, {mapping(2), 0, 0}});
  const Answer answer = records.answer();
  ASSERT_EQ(answer.bands.size(), 1u);
  EXPECT_EQ(answer.bands[0].schedule, kDefault);
}

TEST(Choose, AGainUnderTheNoiseIsSaidToBeHidden) {
  MadeUp records(question("layer_norm rows=8 cols=64"), 5, 0.3);
  records.measure("layer_norm rows=8 cols=64", {{mapping(2), -0.15, -0.15}}, 9);
  const Answer answer = records.answer();
  EXPECT_EQ(answer.bands[0].schedule, kDefault);
  EXPECT_TRUE(answer.shapes[0].noisy);
}

TEST(Bands, TheFewestThatStayNearTheBest) {
  const std::string problem = "layer_norm rows=1..4096 cols=64";
  MadeUp records(question(problem), 6, 0.005);
  records.calm = true;
  // 2 is best for few rows, 4 for many, and 3 within two percent of both in the middle.
  const auto at = [&](int rows, double two, double three, double four) {
    records.measure("layer_norm rows=" + std::to_string(rows) + " cols=64",
                    {{mapping(2), two, two}, {mapping(3), three, three}, {mapping(4), four, four}});
  };
  at(1, -0.30, 0.1, 0.2);
  at(8, -0.30, -0.285, 0.0);
  at(64, -0.1, -0.285, -0.30);
  at(512, 0.1, 0.1, -0.30);
  at(4096, 0.1, 0.1, -0.30);
  const Answer answer = records.answer();
  ASSERT_EQ(answer.bands.size(), 2u);
  EXPECT_EQ(answer.bands[0].schedule, mapping(2));
  EXPECT_EQ(to_text(answer.bands[0].problem), "layer_norm rows=1..22 cols=64");
  EXPECT_EQ(answer.bands[1].schedule, mapping(4));
  EXPECT_EQ(to_text(answer.bands[1].problem), "layer_norm rows=23..4096 cols=64");
}

TEST(Bands, CoverTheWholeRange) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> effect(0, 0.2);
    MadeUp records(question("layer_norm rows=1.. cols=64"), seed, 0.01);
    for (int rows = 1; rows <= 512; rows *= 8)
      records.measure("layer_norm rows=" + std::to_string(rows) + " cols=64",
                      {{mapping(2), effect(random), 0}, {mapping(4), effect(random), 0}});
    int64_t next = 1;
    for (const Band &band : records.answer().bands) {
      EXPECT_EQ(band.problem.extents[0].lo, next);
      EXPECT_GE(band.gain, 1);
      next = band.problem.extents[0].hi + (band.problem.extents[0].hi != Extent{}.hi);
    }
    EXPECT_EQ(next, Extent{}.hi);
  }
}

TEST(Bands, BordersAreMeasuredHalfWay) {
  const std::string problem = "layer_norm rows=1..4096 cols=64";
  MadeUp records(question(problem), 6, 0.005);
  records.calm = true;
  const auto measure = [&](const std::string &rows, double gain) {
    records.measure("layer_norm rows=" + rows + " cols=64", {{mapping(2), gain, gain}});
  };
  for (const char *rows : {"1", "8", "64"})
    measure(rows, 0.2);
  measure("512", -0.2);
  const auto borders = [&] {
    std::vector<int64_t> rows;
    for (const Problem &shape : border_shapes(records.question, records.answer()))
      rows.push_back(shape.extents[0].lo);
    return rows;
  };
  EXPECT_EQ(borders(), std::vector<int64_t>({181})); // the root of 64 * 512
  measure("181", -0.2);
  EXPECT_EQ(borders(), std::vector<int64_t>({107}));
  measure("107", 0.2);
  EXPECT_EQ(borders(), std::vector<int64_t>()); // less than twice as many
  const Answer answer = records.answer();
  ASSERT_EQ(answer.bands.size(), 2u);
  EXPECT_EQ(answer.bands[0].problem.extents[0].hi, 139);
}

// A band of one extent has no ladder of its own.
TEST(Bands, OfOneRowHaveBordersToo) {
  MadeUp records(question("layer_norm rows=1..16 cols=64"), 6, 0.001);
  for (const auto &[rows, gain] : {std::pair(1, 0.2), {2, -0.2}, {16, 0.2}})
    records.measure("layer_norm rows=" + std::to_string(rows) + " cols=64", {{mapping(2), gain, gain}});
  const Answer answer = records.answer();
  ASSERT_EQ(answer.bands.size(), 3u);
  EXPECT_TRUE(answer.bands[0].problem.extents[0].fixed());
  const std::vector<Problem> borders = border_shapes(records.question, answer);
  ASSERT_EQ(borders.size(), 1u);
  EXPECT_EQ(borders[0].extents[0].lo, 5); // the root of 2 * 16
}

// Until neighbours lie close, and no shape twice, be it measured or not.
TEST(Choose, BordersAreMeasuredHalfWayUntilNeighboursLieClose) {
  for (const bool fails : {false, true}) {
    MadeUp records(question("layer_norm rows=1..4096 cols=64"), 9, 0.001);
    const auto measure = [&](const Problem &shape) {
      records.measure(to_text(shape), {{mapping(2), shape.extents[0].lo < 100 ? -0.2 : 0.2, 0}});
    };
    for (const int rows : {1, 8, 64, 512, 4096})
      measure(parse_problem("layer_norm rows=" + std::to_string(rows) + " cols=64"));
    std::vector<int64_t> asked;
    measure_borders(
        records.database, records.question, [] { return false; },
        [&](const Problem &shape, size_t left) {
          EXPECT_EQ(left, 1u);
          asked.push_back(shape.extents[0].lo);
          if (!fails)
            measure(shape);
        });
    EXPECT_EQ(asked, fails ? std::vector<int64_t>({181}) : std::vector<int64_t>({181, 107}));
    asked.clear();
    measure_borders(records.database, records.question, [] { return true; }, [&](const Problem &, size_t) { asked.push_back(0); });
    EXPECT_TRUE(asked.empty());
  }
}

// A GPU's tensors pass through a cache that other kernels use, so that samples on others each time decide.
TEST(Choose, OnAGpuColdSamplesDecide) {
  for (const auto &[target, best] : {std::pair("x86-64-v3", mapping(2)), std::pair("sm_90", mapping(4))}) {
    MadeUp records(question("layer_norm rows=64 cols=64"), 3, 0.001);
    records.question.target = target;
    records.measure("layer_norm rows=64 cols=64", {{mapping(2), -0.3, 0.1}, {mapping(4), 0.2, -0.2}});
    const Answer answer = records.answer();
    EXPECT_EQ(answer.bands.at(0).schedule, best) << target;
    EXPECT_EQ(answer.shapes.at(0).standings.at(1).cold.pairs > 0, std::string(target) != "sm_90");
  }
}

} // namespace
} // namespace normforge::testing
