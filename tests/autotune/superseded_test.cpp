// Records that this build has nothing to do with any more, and what tells two databases apart.
#include <cmath>
#include <gtest/gtest.h>

#include "autotune/database_diff.h"
#include "autotune/superseded.h"
#include "autotune/verify.h"
#include "codegen/hash.h"
#include "codegen/package/selection.h"
#include "codegen/toolchain.h"

namespace normforge {
namespace {

const char kDevice[] = "x86-64-v3 32K/512K/32M 8 cores AMD Ryzen 7";

std::string schedule(const std::string &problem, const std::string &mapping = "") {
  const Target &target = find_target("x86-64-v3");
  const Backend &backend = backend_for(target);
  const SweepPlan plan = make_sweep_plan(parse_problem(problem));
  return to_text(parse_schedule(mapping, backend.knobs(), backend.default_schedule(plan, target)), backend.knobs());
}

/// A Record of a kernel that was compiled for `problem` and timed at `shape`, as long as `seconds` beside 1e-6 of the default.
Record timed(const std::string &problem, const std::string &shape, const std::string &mapping, double seconds) {
  const Target &target = find_target("x86-64-v3");
  const Backend &backend = backend_for(target);
  const SweepPlan plan = make_sweep_plan(parse_problem(problem));
  const Schedule parsed = parse_schedule(mapping, backend.knobs(), backend.default_schedule(plan, target));
  const Kernel kernel = backend.compile(plan, parsed, target, "kernel");
  Record record{{hash_text(plan.problem.norm->hash), shape, "x86-64-v3", to_text(parsed, backend.knobs()), hash_text(kernel.code_hash),
                 toolchain(), kDevice},
                "",
                0,
                {}};
  Samples samples{.run = 1, .confirms = true};
  for (int round = 0; round < 9; ++round) {
    samples.rounds.push_back(round);
    samples.seconds.push_back(seconds * (1 + 1e-4 * (round % 3)));
  }
  record.samples = {samples};
  if (mapping.empty()) {
    samples.twin = true;
    record.samples.push_back(samples);
  }
  return record;
}

class SupersededRecords : public ::testing::Test {
protected:
  SupersededRecords() {
    database.add(timed(problem, "softmax rows=4 cols=768", "", 1e-6));
    database.add(timed(problem, "softmax rows=4 cols=768", "rows=4", 5e-7));
  }

  std::string why(const RecordKey &key, const std::string &problems = "") {
    const std::vector<Problem> parsed = problems.empty() ? std::vector<Problem>() : parse_problems(problems, "norms.problems");
    Database of;
    of.add(Record{key, "", 0, database.records().begin()->second.samples});
    return superseded(key, emitted_code(of, parsed, {}, KernelCache(""), 1), {});
  }

  const std::string problem = "softmax cols=768";
  Database database;
};

TEST_F(SupersededRecords, AreOfAnotherCompilerTextOrCode) {
  const RecordKey now = database.records().begin()->first;
  EXPECT_EQ(why(now), "");
  EXPECT_EQ(why(now, problem), "");
  RecordKey key = now;
  key.compiler = "normforge 0.0.9 LLVM 21.1.0";
  EXPECT_EQ(why(key, problem), "by another compiler, normforge 0.0.9 LLVM 21.1.0");
  key = now;
  key.norm = "0123456789abcdef";
  EXPECT_NE(why(key).find("another text"), std::string::npos);
  key.problem = "soft_max cols=768";
  EXPECT_NE(why(key).find("not there"), std::string::npos);
  key = now;
  key.code = "0123456789abcdef";
  EXPECT_EQ(why(key), ""); // no problem tells what code there is
  EXPECT_EQ(why(key, "softmax cols=100"), "");
  EXPECT_EQ(why(key, problem), "of code that is no longer emitted");
  EXPECT_EQ(why(now, "softmax cols=1..1000"), "of code that is no longer emitted");
  EXPECT_EQ(why(now, "softmax cols=1..1000\nsoftmax cols=768\n"), ""); // one of two problems still has it
  key = now;
  key.schedule = "two_pass lanes=32 | speed=11";
  EXPECT_EQ(why(key, problem), "of code that is no longer emitted");
  key.code = ""; // rejected before there was any
  EXPECT_EQ(why(key, problem), "");
}

TEST_F(SupersededRecords, ADiffNamesRecordsAndAnswers) {
  EXPECT_TRUE(diff(database, database, {}).answers.empty());
  Database other;
  other.add(timed(problem, "softmax rows=4 cols=768", "", 1e-6));
  other.add(timed(problem, "softmax rows=4 cols=768", "rows=4", 2e-6));
  other.add(timed(problem, "softmax rows=8 cols=768", "", 1e-6));
  const DatabaseDiff found = diff(database, other, {});
  ASSERT_EQ(found.added.size(), 1u);
  EXPECT_EQ(found.added[0].problem, "softmax rows=8 cols=768");
  EXPECT_TRUE(found.removed.empty());
  ASSERT_EQ(found.changed.size(), 1u);
  EXPECT_EQ(found.changed[0].schedule, schedule(problem, "rows=4"));
  ASSERT_EQ(found.answers.size(), 2u);
  EXPECT_EQ(found.answers[0].before.schedule, schedule(problem, "rows=4"));
  EXPECT_NEAR(found.answers[0].before.gain, 2, 1e-3);
  EXPECT_EQ(found.answers[0].after, (ShapeAnswer{schedule(problem), 1}));
  EXPECT_EQ(found.answers[1].before, ShapeAnswer());
  const DatabaseDiff back = diff(other, database, {});
  EXPECT_EQ(back.removed.size(), 1u);
  EXPECT_EQ(back.answers.size(), 2u);
  Database strange;
  Record record = database.records().begin()->second;
  record.key.norm = "0123456789abcdef";
  record.samples.back().twin = true;
  strange.add(record);
  EXPECT_EQ(diff(strange, strange, {}).unknown, 1);
}

TEST(Verification, RatiosAgreeWhereTheirIntervalsMeet) {
  const auto ratio = [](double gain, double spread) {
    const double value = -std::log(gain);
    return LogRatio{value, value - spread, value + spread, 15};
  };
  EXPECT_TRUE(agree(ratio(1.3, 0.02), 0.01, ratio(1.3, 0.02), 0.01));
  EXPECT_TRUE(agree(ratio(1.3, 0.1), 0.01, ratio(1.1, 0.1), 0.01));
  EXPECT_FALSE(agree(ratio(1.3, 0.01), 0.01, ratio(1.1, 0.01), 0.01));
  EXPECT_FALSE(agree(ratio(1.1, 0.01), 0.01, ratio(1.3, 0.01), 0.01));
  EXPECT_TRUE(agree(ratio(1.3, 0.01), 0.01, ratio(1.1, 0.01), 0.2)); // too noisy now to say no
}

} // namespace
} // namespace normforge
