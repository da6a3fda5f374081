// A whole search, on small problems: what it finds, keeps, goes on from, and lives through.
#include <chrono>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "autotune/shapes.h"
#include "autotune/space.h"
#include "codegen/check/kernel_call.h"
#include "dsl/error.h"
#include "tests/autotune/search_support.h"
#include "tests/package/temporary.h"

namespace normforge::testing {
namespace {

constexpr char kSmall[] = "layer_norm rows=16 cols=256 outputs=y";
constexpr char kTrap[] = "\x0f\x0b", kForever[] = "\xeb\xfe", kReturn[] = "\xc3";

struct Outcome {
  std::vector<SearchResult> results;
  double seconds;
  int measured = 0; ///< how often a shape was begun
};

class Search : public ::testing::Test {
protected:
  SearchOptions options(const Backend &backend, const std::string &file = "db") const {
    SearchOptions options;
    options.target = &host_target();
    options.backend = &backend;
    options.budget_seconds = 30; // enough on a busy machine; such small spaces end sooner
    options.database = directory / file;
    options.limit_seconds = 2;
    return options;
  }
  Outcome run(const SearchOptions &options, const std::vector<std::string> &texts = {kSmall},
              const std::function<bool()> &stop = {}) const {
    std::vector<Problem> problems;
    for (const std::string &text : texts)
      problems.push_back(parse_problem(text));
    Outcome run;
    const auto start = std::chrono::steady_clock::now();
    const auto count = [&](const Progress &at) { run.measured += at.doing == "measuring" || at.doing == "confirming"; };
    run.results = search(problems, options, count, {}, stop);
    run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return run;
  }
  Database database(const std::string &file = "db") const {
    return read_database(directory / file, [](const std::string &text) { ADD_FAILURE() << text; });
  }

  TemporaryDirectory directory;
  const ChangedBackend plain;
};

TEST_F(Search, EveryCandidateLeavesItsSamples) {
  const Outcome first = run(options(plain));
  ASSERT_EQ(first.results.size(), 1u);
  EXPECT_TRUE(first.results[0].complete);
  ASSERT_EQ(first.results[0].entries.size(), 1u);
  std::set<std::string> schedules;
  int confirmed = 0;
  const Database kept = database();
  for (const auto &[key, record] : kept.records()) {
    EXPECT_EQ(record.rejected, "");
    EXPECT_EQ(key.problem, kSmall);
    EXPECT_LE(record.deviation, 1);
    schedules.insert(key.schedule);
    for (const Samples &samples : record.samples) {
      confirmed += samples.confirms;
      for (double seconds : samples.seconds)
        EXPECT_GT(seconds, 0);
    }
  }
  EXPECT_GE(int(schedules.size()), 6); // the default, and its neighbours in rows and unroll
  EXPECT_GE(confirmed, 4);             // at least the default and its twin, warm and cold
}

TEST_F(Search, ReplayGivesTheSameAnswer) {
  const Outcome first = run(options(plain));
  const SearchResult &result = first.results[0];
  const Answer again = choose(database(), result.question);
  EXPECT_EQ(lock_entries(again, result.question), result.entries);
}

TEST_F(Search, BrokenCandidatesAreContained) {
  const Schedule start = plain.default_schedule(make_sweep_plan(parse_problem(kSmall)), host_target());
  std::vector<int64_t> others{1, 2, 3, 4, 6, 8};
  std::erase(others, knob(start, "rows"));
  const ChangedBackend broken([&](Kernel &kernel, const Schedule &schedule) {
    if (const int64_t rows = knob(schedule, "rows"); rows == others[0])
      replace_code(kernel, kTrap);
    else if (rows == others[1])
      replace_code(kernel, kForever);
    else if (rows == others[2])
      replace_code(kernel, kReturn);
    else if (rows == others[3])
      throw UserError("it does not compile");
  });
  SearchOptions patient = options(broken);
  patient.limit_seconds = 0.5;
  const Outcome first = run(patient);
  std::map<std::string, int> causes;
  const Database kept = database();
  for (const auto &[key, record] : kept.records())
    if (!record.rejected.empty()) {
      ++causes[record.rejected.substr(0, record.rejected.find(':'))];
      EXPECT_TRUE(record.samples.empty());
    }
  EXPECT_GE(causes["crash"], 1);
  EXPECT_GE(causes["hang"], 1);
  EXPECT_GE(causes["gate"], 1);
  EXPECT_GE(causes["compile"], 1);
  ASSERT_EQ(first.results[0].entries.size(), 1u);
  const std::string &chosen = first.results[0].entries[0].schedule;
  for (size_t i = 0; i < 4; ++i)
    EXPECT_EQ(chosen.find("rows=" + std::to_string(others[i]) + " "), chosen.npos);
}

/// Right at the few rows that the gate tries, and wrong at the size that is timed.
TEST_F(Search, ACandidateThatIsWrongAtItsOwnSizeIsRejected) {
  const std::string large = "layer_norm rows=4096 cols=256 outputs=y";
  const int64_t own = knob(plain.default_schedule(make_sweep_plan(parse_problem(large)), host_target()), "rows"), other = own == 3 ? 2 : 3;
  const ChangedBackend wrong([&](Kernel &kernel, const Schedule &schedule) {
    if (knob(schedule, "rows") == other && kernel.problem.find("rows=4096") != kernel.problem.npos)
      replace_code(kernel, kReturn);
  });
  run(options(wrong), {large});
  int rejected = 0;
  const Database kept = database();
  for (const auto &[key, record] : kept.records())
    if (key.schedule.find("rows=" + std::to_string(other) + " ") != key.schedule.npos) {
      EXPECT_TRUE(record.rejected.starts_with("gate: ")) << record.rejected;
      ++rejected;
    }
  EXPECT_GE(rejected, 1);
}

/// As ptxas would say of a GPU's kernels: those of two rows at a time spill, and so does the default.
TEST_F(Search, SchedulesThatSpillAreDroppedUnmeasuredAllButTheDefault) {
  const Schedule base = plain.default_schedule(make_sweep_plan(parse_problem(kSmall)), host_target());
  ASSERT_NE(knob(base, "rows"), 2);
  const ChangedBackend spilling([&](Kernel &kernel, const Schedule &schedule) {
    kernel.spilled_bytes = knob(schedule, "rows") == 2 ? 48 : schedule == base ? 8 : 0;
  });
  SearchOptions with = options(spilling);
  std::vector<std::string> warnings;
  with.warn = [&](const std::string &text) { warnings.push_back(text); };
  const Outcome found = run(with);
  ASSERT_EQ(found.results.size(), 1u);
  EXPECT_TRUE(found.results[0].complete);
  int dropped = 0, measured = 0;
  const Database kept = database();
  for (const auto &[key, record] : kept.records()) {
    const bool spills = record.rejected == "spill: ptxas spills 48 bytes of registers";
    EXPECT_EQ(spills, !record.rejected.empty()) << record.rejected;
    EXPECT_EQ(spills, record.samples.empty());
    EXPECT_EQ(spills, key.schedule.find(" rows=2 ") != key.schedule.npos) << key.schedule;
    ++(spills ? dropped : measured);
  }
  EXPECT_GE(dropped, 1);
  EXPECT_GE(measured, 2);
  EXPECT_EQ(warnings, std::vector<std::string>{std::string("warning: the default schedule of '") + kSmall +
                                               "': spill: ptxas spills 8 bytes of registers"});
}

TEST_F(Search, ResumeMeasuresNothingTwice) {
  run(options(plain));
  const Database before = database();
  SearchOptions again = options(plain);
  again.resume = true;
  const Outcome second = run(again);
  EXPECT_EQ(database(), before);
  EXPECT_EQ(second.measured, 0);
  EXPECT_TRUE(second.results[0].complete);
}

TEST_F(Search, StoppedAnywhereItGoesOnWhereItWas) {
  int calls = 0;
  SearchOptions again = options(plain);
  again.resume = true;
  bool finished = false;
  size_t records = 0;
  for (int patience = 1; !finished && patience < 4000; patience *= 3) {
    calls = 0;
    const Outcome part = run(again, {kSmall}, [&] { return ++calls > patience; });
    finished = !part.results.empty() && part.results[0].complete;
    const size_t now = database().records().size();
    EXPECT_GE(now, records);
    records = now;
  }
  EXPECT_TRUE(finished);
}

TEST_F(Search, TheBudgetIsKept) {
  SearchOptions tight = options(plain);
  tight.budget_seconds = 1.5;
  tight.effort = Effort::patient;
  const Outcome outcome =
      run(tight, {"softmax rows=1..4096 cols=1024", "layer_norm rows=1..4096 cols=1024", "rms_norm rows=1..4096 cols=1024"});
  EXPECT_LT(outcome.seconds, tight.budget_seconds + 6);
}

TEST_F(Search, ADefaultThatIsRejectedLeavesTheProblemOpen) {
  const ChangedBackend broken([&](Kernel &kernel, const Schedule &) { replace_code(kernel, kTrap); });
  const Outcome first = run(options(broken));
  ASSERT_EQ(first.results.size(), 1u);
  EXPECT_FALSE(first.results[0].complete);
  EXPECT_TRUE(first.results[0].entries.empty());
  EXPECT_FALSE(first.results[0].answer.rejections.empty());
}

TEST_F(Search, EstimateMeasuresNothing) {
  SearchOptions estimate = options(plain);
  estimate.effort = Effort::estimate;
  const Outcome first = run(estimate);
  EXPECT_EQ(first.measured, 0);
  EXPECT_TRUE(database().records().empty());
  ASSERT_EQ(first.results[0].entries.size(), 1u);
  EXPECT_EQ(first.results[0].entries[0].gain, 1);
}

TEST_F(Search, ADatabaseThatCannotBeWrittenIsSaidFirst) {
  SearchOptions nowhere = options(plain);
  nowhere.database = directory / "no/such/directory/db";
  EXPECT_THROW(run(nowhere), UserError);
}

} // namespace
} // namespace normforge::testing
