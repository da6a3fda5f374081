// The library of common sizes that anybody gets: on both sides of every threshold between its schedules the bits are those of the library
// that has the default schedules alone, and what fewer rows give is what more rows begin with.
#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <set>

#include "autotune/choose.h"
#include "autotune/common_lock.h"
#include "autotune/locked_choices.h"
#include "autotune/shapes.h"
#include "codegen/hash.h"
#include "codegen/toolchain.h"
#include "runtime/cpu.h"
#include "tests/package/loaded_library.h"

namespace normforge {
namespace {

using testing::Call;
using testing::LoadedLibrary;

constexpr int64_t kMostBytes = 24 << 20; ///< of a call that is tried

LoadedLibrary library(const std::string &name, const Problem &problem, const std::vector<const Target *> &targets, const Lockfile &lockfile,
                      const std::string &cache) {
  LibraryOptions options{.name = name, .targets = targets, .cache = cache, .jobs = 2};
  options.choices = locked_choices(lockfile, std::span(&problem, 1), targets, {}).choices;
  return LoadedLibrary(name, make_library({problem}, options).files.front().bytes);
}

/// Extents along the ladder at and beside every end of a band.
std::set<int64_t> around_thresholds(const Lockfile &lockfile, const Problem &problem, int ladder) {
  std::set<int64_t> extents{1, 2};
  for (const LockEntry &entry : lockfile.entries) {
    const Problem band = parse_problem(entry.problem);
    if (!(band.norm->hash == problem.norm->hash) || !lies_within(band, problem))
      continue;
    const Extent &range = band.extents[size_t(ladder)];
    for (const int64_t end : {range.lo, range.hi})
      for (const int64_t n : {end - 1, end, end < range.hi || end < Extent{}.hi ? end + 1 : end})
        if (n >= 1 && problem.extents[size_t(ladder)].contains(n))
          extents.insert(n);
  }
  return extents;
}

/// Whether a tensor's outermost axis is the ladder: of fewer of it, the data is what that of more begins with.
bool grows_at_the_end(const Problem &problem, size_t tensor, int ladder) {
  const auto &axes = problem.norm->program.tensors[tensor].axes;
  return !axes.empty() && axes.front() == ladder;
}

/// `met`: how many schedules served the calls on a target, at most.
void same_bits_over_every_threshold(const Lockfile &lockfile, const Problem &problem, const std::string &cache, size_t &met) {
  const int ladder = ladder_axis(problem);
  ASSERT_GE(ladder, 0);
  const Program &program = problem.norm->program;
  const std::vector<const Target *> targets = parse_targets("x86-64-v3,x86-64-v4");
  const LoadedLibrary tuned = library("tuned", problem, targets, lockfile, cache), plain = library("plain", problem, targets, {}, cache);
  for (const Target *target : targets) {
    if (!runs_here(*target))
      continue;
    tuned.force_level(target->level);
    plain.force_level(target->level);
    std::vector<std::string> fewer;
    std::set<std::string> schedules;
    for (const int64_t n : around_thresholds(lockfile, problem, ladder)) {
      Problem shape = measured_shapes(problem).front();
      shape.extents[size_t(ladder)] = {n, n};
      if (n > (int64_t(1) << 30) || tensor_bytes(shape) > kMostBytes)
        continue;
      SCOPED_TRACE(to_text(shape) + " for " + std::string(target->name));
      Call one(problem, fixed_extents(shape)), other(problem, fixed_extents(shape));
      const std::string function = one.table.function().name;
      const nf_choice choice = tuned.which(function, one.bytes.data());
      EXPECT_EQ(choice.level, target->level);
      schedules.insert(choice.schedule);
      ASSERT_EQ(tuned.call(function, one.bytes.data()), NF_OK);
      ASSERT_EQ(plain.call(function, other.bytes.data()), NF_OK);
      for (size_t t = 0; t < program.tensors.size(); ++t) {
        EXPECT_TRUE(one.data[t] == other.data[t]) << program.tensors[t].name << " by " << choice.schedule;
        if (!fewer.empty() && program.tensors[t].role == Tensor::output && grows_at_the_end(problem, t, ladder))
          EXPECT_TRUE(one.data[t].starts_with(fewer[t])) << program.tensors[t].name << " by " << choice.schedule;
      }
      fewer = std::move(one.data);
    }
    EXPECT_FALSE(schedules.empty());
    met = std::max(met, schedules.size());
    std::printf("%s for %s: %zu schedules\n", to_text(problem).c_str(), std::string(target->name).c_str(), schedules.size());
  }
}

TEST(CommonLibrary, SameBitsOverEveryThreshold) {
  const bool all = std::getenv("NORMFORGE_LONG");
  const testing::TemporaryDirectory cache;
  for (const Lockfile &lockfile : common_lockfiles()) {
    std::map<std::string, std::map<std::string, int>> bands; // by the problem with its ladder open, and target
    for (const LockEntry &entry : lockfile.entries) {
      Problem problem = parse_problem(entry.problem);
      for (const int axis : problem.order)
        if (!problem.extents[size_t(axis)].fixed()) {
          problem.extents[size_t(axis)] = {};
          break;
        }
      ++bands[to_text(problem)][entry.target];
    }
    std::set<std::string> norms; // one problem of each, unless all are wanted
    size_t met = 0;
    for (const auto &[text, counts] : bands) {
      const Problem problem = parse_problem(text);
      const bool changes = std::ranges::any_of(counts, [](const auto &of_target) { return of_target.second > 1; });
      if (changes && ladder_axis(problem) >= 0 && (all || (norms.size() < 4 && norms.insert(problem.norm->source).second)))
        same_bits_over_every_threshold(lockfile, problem, cache / ".", met);
    }
    EXPECT_GT(met, 1u) << "no problem of the lockfile has a threshold";
  }
}

TEST(CommonLibrary, AnyScheduleOnAnySideGivesTheSameBits) {
  struct Range {
    const char *extent, *mapping;
  };
  constexpr Range ranges[] = {{"1", "unroll=2 keep=scratch"}, {"2..3", "rows=2"}, {"4..", "vector=128 prefetch=1"}};
  constexpr std::pair<const char *, const char *> problems[] = {{"softmax cols=333 x=bf16", "rows"},
                                                                {"group_norm group=4 sub=3 space=50", "batch"},
                                                                {"batch_norm_infer channel=12 space=70", "batch"}};
  const testing::TemporaryDirectory cache;
  for (const auto &[text, axis] : problems) {
    const Problem problem = parse_problem(text);
    Lockfile lockfile;
    for (const char *name : {"x86-64-v3", "x86-64-v4"})
      for (const auto &[extent, mapping] : ranges) {
        const Target &target = find_target(name);
        const Backend &backend = backend_for(target);
        const Problem part = parse_problem(std::string(text) + " " + axis + "=" + extent);
        const SweepPlan plan = make_sweep_plan(part);
        Schedule schedule = backend.default_schedule(plan, target);
        schedule.numerics = pinned_numerics(part, target);
        const Schedule other = parse_schedule(mapping, backend.knobs(), schedule);
        lockfile.entries.push_back({to_text(part), name,
                                    to_text(backend.inapplicable(plan, other, target) ? schedule : other, backend.knobs()),
                                    hash_text(part.norm->hash), toolchain(), fingerprint(this_device())});
      }
    size_t met = 0;
    same_bits_over_every_threshold(lockfile, problem, cache / ".", met);
    EXPECT_EQ(met, std::size(ranges));
  }
}

} // namespace
} // namespace normforge
