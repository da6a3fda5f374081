// From a lockfile to a library: a kernel for each range of rows, which says that it is tuned, and the same bits over every threshold
// between them as without the lockfile. The program itself builds; the library is loaded into this process.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <gtest/gtest.h>
#include <set>
#include <sys/wait.h>

#include "autotune/common_lock.h"
#include "autotune/locked_choices.h"
#include "codegen/hash.h"
#include "codegen/toolchain.h"
#include "runtime/cpu.h"
#include "tests/package/loaded_library.h"

namespace normforge {
namespace {

using testing::Call;
using testing::contents;
using testing::LoadedLibrary;

/// Schedules of different kind for ranges of rows.
struct Range {
  const char *rows, *mapping;
};
constexpr Range kRanges[] = {
    {"rows=1", "unroll=2 keep=scratch"}, {"rows=2..7", "rows=2"}, {"rows=8..31", "rows=4 prefetch=1"}, {"rows=32..", "rows=1 vector=128"}};
constexpr int64_t kRows[] = {1, 2, 3, 7, 8, 9, 31, 32, 33, 70}; ///< both sides of each threshold

class TunedLibrary : public ::testing::Test {
protected:
  /// A lockfile with kRanges of a problem on each target, `numerics` in place of the pinned half, after `change`.
  void lock(const std::string &problem, const std::string &numerics = "", bool pins = false,
            const std::function<void(LockEntry &)> &change = {}) {
    Lockfile lockfile;
    for (const Target *target : parse_targets("x86-64-v2,x86-64-v3,x86-64-v4"))
      for (const auto &[rows, mapping] : kRanges) {
        const size_t norm = problem.find(' ');
        const Problem part = parse_problem(problem.substr(0, norm) + " " + rows + problem.substr(norm));
        const Backend &backend = backend_for(*target);
        Schedule schedule = backend.default_schedule(make_sweep_plan(part), *target);
        schedule.numerics = pinned_numerics(part, *target);
        schedule = parse_schedule(std::string(mapping) + " " + numerics, backend.knobs(), schedule);
        lockfile.entries.push_back({to_text(part), std::string(target->name), to_text(schedule, backend.knobs()),
                                    hash_text(part.norm->hash), toolchain(), fingerprint(this_device()), 1.5, pins});
      }
    std::ranges::sort(lockfile.entries);
    for (LockEntry &entry : lockfile.entries)
      if (change)
        change(entry);
    testing::write(directory / "norms.lock", to_text(lockfile));
    testing::write(directory / "norms.problems", problem + "\n");
  }

  /// Runs the program's `build` with `flags`; its exit code. What it prints goes to the file "out".
  int build(const std::string &into, const std::string &flags) {
    const std::string command = "cd '" + (directory / ".") +
                                "' && XDG_CACHE_HOME=$PWD/home " NORMFORGE_PROGRAM " build norms.problems --name norms -o " + into + " " +
                                flags + " >out 2>&1";
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  LoadedLibrary load(const std::string &from) const { return LoadedLibrary("norms", contents(directory / (from + "/lib/libnorms.a"))); }

  /// The outputs of a call of so many rows: those rows of ever the same data.
  static std::vector<std::string> outputs(const LoadedLibrary &library, const Problem &problem, int64_t rows) {
    Call call(problem, {rows, 768});
    EXPECT_EQ(library.call(call.table.function().name, call.bytes.data()), NF_OK);
    return call.data;
  }

  testing::TemporaryDirectory directory;
};

TEST_F(TunedLibrary, SameBitsOverEveryThreshold) {
  const std::string text = "layer_norm cols=768";
  lock(text);
  ASSERT_EQ(build("tuned", "--lock norms.lock --require-complete"), 0) << contents(directory / "out");
  ASSERT_EQ(build("plain", "--no-lock"), 0) << contents(directory / "out");
  const LoadedLibrary tuned = load("tuned"), plain = load("plain");
  const Problem problem = parse_problem(text);
  for (int level = 2; level <= nf_cpu_level(); ++level) {
    tuned.force_level(level);
    plain.force_level(level);
    const std::vector<std::string> most = outputs(tuned, problem, kRows[std::size(kRows) - 1]);
    std::set<std::string> schedules;
    for (const int64_t rows : kRows) {
      const Call call(problem, {rows, 768});
      const nf_choice choice = tuned.which(call.table.function().name, call.bytes.data());
      EXPECT_EQ(choice.origin, NF_TUNED) << rows;
      EXPECT_TRUE(std::string(choice.why).starts_with("tuned")) << choice.why;
      EXPECT_EQ(choice.level, level);
      schedules.insert(choice.schedule);
      const std::vector<std::string> few = outputs(tuned, problem, rows);
      EXPECT_TRUE(few == outputs(plain, problem, rows)) << rows << " rows, level " << level;
      for (size_t t = 3; t < few.size(); ++t) // y, mean, rstd: what more rows begin with
        EXPECT_TRUE(most[t].starts_with(few[t])) << rows << " rows, level " << level;
    }
    EXPECT_EQ(schedules.size(), std::size(kRanges));
  }
  const Call elsewhere(problem, {4, 767});
  EXPECT_EQ(tuned.which("layer_norm_f32", elsewhere.bytes.data()).origin, NF_GENERIC);
}

TEST_F(TunedLibrary, SameLockfileSameBytes) {
  lock("softmax cols=768");
  ASSERT_EQ(build("one", "--lock norms.lock --target x86-64-v3"), 0) << contents(directory / "out");
  ASSERT_EQ(build("two", "--lock norms.lock --target x86-64-v3 --jobs 1 --cache another"), 0);
  for (const char *file : {"lib/libnorms.a", "include/norms.h", "share/norms/manifest.json"})
    EXPECT_EQ(contents(directory / "one/" + file), contents(directory / "two/" + file)) << file;
  EXPECT_NE(contents(directory / "one/share/norms/manifest.json").find("\"origin\": \"tuned\""), std::string::npos);
}

TEST_F(TunedLibrary, AnotherNumericsHalfIsRefusedUnlessItIsTheFunctions) {
  const std::string text = "layer_norm cols=768";
  lock(text, "lanes=16");
  EXPECT_EQ(build("library", "--lock norms.lock"), 1);
  EXPECT_NE(contents(directory / "out").find("numerics half"), std::string::npos) << contents(directory / "out");
  EXPECT_FALSE(std::filesystem::exists(directory / "library/lib/libnorms.a"));
  lock(text, "lanes=16", /*pins=*/true);
  ASSERT_EQ(build("library", "--lock norms.lock"), 0) << contents(directory / "out");
  const LoadedLibrary library = load("library");
  const Problem problem = parse_problem(text);
  const std::vector<std::string> most = outputs(library, problem, 70);
  for (const int64_t rows : kRows) {
    const std::vector<std::string> few = outputs(library, problem, rows);
    for (size_t t = 3; t < few.size(); ++t)
      EXPECT_TRUE(most[t].starts_with(few[t])) << rows << " rows";
  }
  for (const int64_t cols : {768, 100}) { // tuned and generic kernels alike
    const Call call(problem, {4, cols});
    EXPECT_NE(std::string(library.which("layer_norm_f32", call.bytes.data()).schedule).find("lanes=16"), std::string::npos);
  }
}

TEST_F(TunedLibrary, WhatTheLockfileLacks) {
  lock("softmax cols=768");
  testing::write(directory / "norms.problems", "softmax cols=768\nsoftmax cols=100\n");
  EXPECT_EQ(build("library", "--lock norms.lock --target x86-64-v3 --require-complete"), 1);
  EXPECT_NE(contents(directory / "out").find("norms.lock: has no schedule for all of 'softmax cols=100' for x86-64-v3;"), std::string::npos)
      << contents(directory / "out");
  EXPECT_EQ(build("library", "--lock norms.lock --target x86-64-v3"), 0);
  const std::string elsewhere = "--device 'x86-64-v3 32K/256K 4 cores Another'";
  EXPECT_EQ(build("library", "--lock norms.lock --target x86-64-v3 " + elsewhere), 0);
  EXPECT_NE(contents(directory / "out")
                .find("norms.lock: 'softmax rows=1 cols=768' for x86-64-v3 and 3 more: not used, the default serves: class of device"),
            std::string::npos)
      << contents(directory / "out");
  EXPECT_EQ(build("library", "--lock norms.lock --require-complete " + elsewhere), 1);
  EXPECT_EQ(build("library", "--lock none.lock"), 1);
  testing::write(directory / "norms.lock", contents(directory / "norms.lock").substr(0, 1000));
  EXPECT_EQ(build("broken", "--lock norms.lock"), 1);
  EXPECT_NE(contents(directory / "out").find("norms.lock:4: incomplete"), std::string::npos) << contents(directory / "out");
  EXPECT_EQ(build("broken", "--require-complete"), 1);
  EXPECT_FALSE(std::filesystem::exists(directory / "broken"));
}

TEST_F(TunedLibrary, MadeElsewhere) {
  struct Case {
    std::function<void(LockEntry &)> change;
    bool used;
    std::string says;
  };
  const std::string softmax = "'softmax rows=1 cols=768' for x86-64-v3 and 3 more: ";
  const Device here = this_device();
  const auto on = [](Device device) { return [=](LockEntry &entry) { entry.device = fingerprint(device); }; };
  Device cousin = here, stranger = here;
  cousin.name = "Another CPU 9000";
  cousin.level = "x86-64-v4";
  stranger.cache = {8 << 10};
  const Case cases[] = {
      {[](LockEntry &) {}, true, ""},
      {on(cousin), true, "used, though device: locked for '" + fingerprint(cousin) + "', here it is '" + fingerprint(here) + "'"},
      {on(stranger), false, "not used, the default serves: class of device: locked for '" + fingerprint(stranger) + "', here it is '"},
      {[](LockEntry &entry) { entry.compiler = "normforge 0.0.1 LLVM 20.1.0"; }, false,
       "not used, the default serves: compiler: locked for 'normforge 0.0.1 LLVM 20.1.0', here it is '" + toolchain() + "'"},
      {[](LockEntry &entry) { entry.norm = "0123456789abcdef"; }, false,
       "not used, the default serves: norm text: locked for '0123456789abcdef', here it is '"},
      {[](LockEntry &entry) { entry.norm = "0123456789abcdef", entry.compiler = "normforge 0.0.1 LLVM 20.1.0"; }, false,
       "'; compiler: locked for 'normforge 0.0.1 LLVM 20.1.0', here it is '"},
  };
  for (const auto &[change, used, says] : cases) {
    lock("softmax cols=768", "", false, change);
    std::filesystem::remove_all(directory / "library");
    ASSERT_EQ(build("library", "--lock norms.lock --target x86-64-v3"), 0) << contents(directory / "out");
    const std::string out = contents(directory / "out"), manifest = contents(directory / "library/share/norms/manifest.json");
    EXPECT_NE(out.find(says), std::string::npos) << out;
    EXPECT_EQ(out.find("normforge: ") == out.npos, says.empty()) << out;
    EXPECT_EQ(out.find(softmax) == out.npos, says.empty()) << out;
    EXPECT_EQ(manifest.find("\"origin\": \"tuned\"") != manifest.npos, used) << says;
    EXPECT_EQ(build("complete", "--lock norms.lock --target x86-64-v3 --require-complete"), used ? 0 : 1) << says;
  }
}

TEST_F(TunedLibrary, CommonSizesAreTunedByThemselves) {
  const LockEntry &entry = common_lockfile(nullptr).entries.front();
  testing::write(directory / "norms.problems", entry.problem + "\n");
  const std::string target = " --target " + entry.target;
  const auto manifest = [&](const std::string &library) { return contents(directory / (library + "/share/norms/manifest.json")); };
  ASSERT_EQ(build("common", "--require-complete" + target), 0) << contents(directory / "out");
  EXPECT_NE(contents(directory / "out").find("1 of them tuned by schedules that come with normforge"), std::string::npos);
  for (const std::string &part : {std::string("\"schedules\": \"common\""), std::string("\"origin\": \"tuned\""),
                                  "\"schedule\": \"" + entry.schedule, "\"device\": \"" + entry.device})
    EXPECT_NE(manifest("common").find(part), std::string::npos) << part;
  ASSERT_EQ(build("defaults", "--no-lock" + target), 0) << contents(directory / "out");
  EXPECT_NE(manifest("defaults").find("\"schedules\": \"default\""), std::string::npos);
  EXPECT_EQ(manifest("defaults").find("tuned"), std::string::npos);
  ASSERT_EQ(build("elsewhere", "--device 'x86-64-v3 1K/2K 4 cores Another'" + target), 0) << contents(directory / "out");
  EXPECT_EQ(manifest("elsewhere").find("\"tuned\""), std::string::npos);
  EXPECT_EQ(build("elsewhere", "--no-lock --require-complete"), 1);
  testing::write(directory / "norms.lock", to_text(Lockfile()));
  ASSERT_EQ(build("own", "--lock norms.lock" + target), 0) << contents(directory / "out"); // in place of those that come with it
  EXPECT_NE(manifest("own").find("\"schedules\": \"lockfile\""), std::string::npos);
  EXPECT_EQ(manifest("own").find("\"tuned\""), std::string::npos);
}

} // namespace
} // namespace normforge
