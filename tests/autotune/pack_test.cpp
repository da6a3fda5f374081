// A packed problem as bytes, what it refuses, and the gate where it is measured.
#include "autotune/pack/measure_packed.h"

#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>
#include <unistd.h>

#include "autotune/database.h"
#include "autotune/gate.h"
#include "codegen/hash.h"
#include "dsl/error.h"
#include "tests/autotune/search_support.h"

namespace normforge {
namespace {

PackedProblem sample(const std::string &text, const Target &target = host_target()) {
  return testing::packed_problem(text, target, {"rows=1"});
}

class PackedFile : public ::testing::Test {
protected:
  const std::string database = std::filesystem::temp_directory_path() / ("normforge-pack-" + std::to_string(::getpid()) + ".db");
  void TearDown() override { std::filesystem::remove(database); }

  std::vector<Record> measured(const PackedProblem &packed) {
    measure_packed(this_cpu(), parse_packed_problem(to_bytes(packed), "file"), database, [](const Problem &, int, bool) {});
    const Database read = read_database(database, [](const std::string &) {});
    std::vector<Record> records;
    for (const auto &[key, record] : read.records())
      records.push_back(record);
    return records;
  }
};

TEST_F(PackedFile, RoundTrips) {
  const PackedProblem packed = sample("softmax rows=1..4 cols=33 x=bf16");
  const std::string bytes = to_bytes(packed);
  const PackedProblem read = parse_packed_problem(bytes, "file");
  EXPECT_EQ(read.problem, packed.problem);
  EXPECT_EQ(read.candidates.size(), 2u);
  EXPECT_EQ(to_bytes(read), bytes);
}

// Its norm travels with it: a file of that name on the other machine is not asked.
TEST_F(PackedFile, BringsItsNorm) {
  PackedProblem packed = sample("softmax rows=4 cols=33");
  const NormRef norm = parse_norms("norm mine(x[rows, cols]) -> y[rows, cols] { y = x - max(x, cols) }", "absent.norm").front();
  Norm named = *norm;
  named.source = "absent.norm";
  packed.problem = parse_problem("absent.norm rows=4 cols=33", std::make_shared<const Norm>(named), "test");
  const PackedProblem read = parse_packed_problem(to_bytes(packed), "file");
  EXPECT_EQ(to_text(read.problem), "absent.norm rows=4 cols=33");
  EXPECT_EQ(read.problem.norm->hash, norm->hash);
}

TEST_F(PackedFile, DamageIsRefused) {
  const std::string bytes = to_bytes(sample("softmax rows=4 cols=33"));
  for (size_t at = 0; at < bytes.size(); at += at < 3000 ? 1 : 101) {
    std::string flipped = bytes;
    flipped[at] ^= 1;
    EXPECT_THROW(parse_packed_problem(flipped, "file"), UserError) << at;
    EXPECT_THROW(parse_packed_problem(bytes.substr(0, at), "file"), UserError) << at;
  }
  EXPECT_THROW(parse_packed_problem(bytes + "x", "file"), UserError);
}

TEST_F(PackedFile, OtherMachinesAreRefused) {
  PackedProblem packed = sample("softmax rows=4 cols=33");
  packed.backend = "cuda";
  packed.target = "sm_90";
  EXPECT_THROW(check_runs_on(this_cpu(), packed), UserError);
  for (const Target &target : targets()) {
    packed.backend = target.backend;
    packed.target = target.name;
    if (runs_here(target))
      EXPECT_NO_THROW(check_runs_on(this_cpu(), packed));
    else
      EXPECT_THROW(check_runs_on(this_cpu(), packed), UserError);
  }
}

TEST_F(PackedFile, GatesWhatWasNot) {
  for (const char *text : {"softmax rows=4 cols=33", "softmax rows=4096 cols=4096"}) {
    PackedProblem packed = sample(text);
    for (const Record &record : measured(packed)) {
      EXPECT_EQ(record.rejected, "") << text;
      EXPECT_GT(record.deviation, 0) << text;
    }
    std::filesystem::remove(database);
    // A kernel that returns at once writes nothing.
    PackedCandidate &broken = packed.candidates[1];
    testing::replace_code(broken.gate ? *broken.gate : broken.kernel, "\xc3");
    int rejected = 0;
    for (const Record &record : measured(packed)) {
      rejected += !record.rejected.empty();
      EXPECT_EQ(record.rejected.starts_with("gate: "), record.key.schedule == broken.kernel.schedule) << record.rejected;
    }
    EXPECT_EQ(rejected, 1) << text;
    std::filesystem::remove(database);
  }
}

// One that ends the process is recorded, too, and not tried again.
TEST_F(PackedFile, CrashesAreRecordedOnce) {
  PackedProblem packed = sample("softmax rows=4 cols=33");
  testing::replace_code(packed.candidates[1].kernel, "\x0f\x0b"); // ud2
  for (PackedCandidate &candidate : packed.candidates)
    candidate.gated = true;
  const std::vector<Record> records = measured(packed);
  const auto crashed = std::ranges::find_if(records, [](const Record &record) { return !record.rejected.empty(); });
  ASSERT_NE(crashed, records.end());
  EXPECT_TRUE(crashed->rejected.starts_with("crash: signal 4")) << crashed->rejected;
  EXPECT_EQ(measured(packed), records);
}

// As a search does: half way between shapes that other schedules win, which for this test Records say.
TEST_F(PackedFile, BordersBetweenBandsAreMeasured) {
  PackedProblem packed = sample("softmax rows=1..64 cols=33");
  for (PackedCandidate &candidate : packed.candidates)
    candidate.gated = true;
  std::vector<Record> records;
  for (const int rows : {1, 8, 64})
    for (const bool confirms : {false, true})
      for (size_t i = 0; i < 2; ++i) {
        const Kernel &kernel = packed.candidates[i].kernel;
        Record record{{hash_text(packed.problem.norm->hash), to_text(parse_problem("softmax rows=" + std::to_string(rows) + " cols=33")),
                       packed.target, kernel.schedule, hash_text(kernel.code_hash), packed.compiler, fingerprint(this_device())},
                      "",
                      0.1,
                      {}};
        for (const bool twin : {false, true}) {
          Samples samples{.run = uint64_t(rows), .confirms = confirms, .twin = twin};
          for (int round = 0; round < 15; ++round) {
            samples.rounds.push_back(round);
            samples.seconds.push_back((i == 0 ? 1e-6 : rows < 10 ? 0.5e-6 : 2e-6) * (1 + 1e-4 * (round % 3)));
          }
          if (i == 0 || !twin)
            record.samples.push_back(std::move(samples));
        }
        records.push_back(std::move(record));
      }
  append_records(database, records);
  std::vector<std::string> asked;
  const auto tell = [&](const Problem &shape, int, bool confirms) { asked.push_back(to_text(shape) + (confirms ? "" : ", a search")); };
  const PackedProblem read = parse_packed_problem(to_bytes(packed), "file");
  EXPECT_FALSE(measure_packed(this_cpu(), read, database, tell).known);
  ASSERT_FALSE(asked.empty());
  EXPECT_EQ(asked.front(), "softmax rows=22 cols=33");
  EXPECT_LE(asked.size(), 2u); // then 13 or 37
  asked.clear();
  EXPECT_TRUE(measure_packed(this_cpu(), read, database, tell).known);
  EXPECT_TRUE(asked.empty());
}

} // namespace
} // namespace normforge
