#include "bench/search_quality.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <unistd.h>

#include "autotune/device.h"
#include "autotune/measure.h"
#include "autotune/search.h"
#include "autotune/space.h"
#include "autotune/workload.h"
#include "codegen/hash.h"
#include "dsl/error.h"

namespace bench {
namespace {

using namespace normforge;

constexpr std::string_view kProblems[] = {
    "layer_norm rows=1 cols=768 outputs=y",
    "layer_norm rows=8 cols=384 outputs=y",
    "layer_norm rows=64 cols=768 outputs=y",
    "layer_norm rows=512 cols=1000 outputs=y",
    "layer_norm rows=64 cols=768 x=bf16 outputs=y",
    "layer_norm rows=512 cols=4096 x=bf16 outputs=y",
    "rms_norm rows=8 cols=4096 outputs=y",
    "rms_norm rows=64 cols=64 outputs=y",
    "rms_norm rows=512 cols=1024 outputs=y",
    "rms_norm rows=64 cols=1024 x=bf16 outputs=y",
    "softmax rows=8 cols=1000 outputs=y",
    "softmax rows=64 cols=384 outputs=y",
    "softmax rows=512 cols=768 x=bf16 outputs=y",
    "log_softmax rows=64 cols=1000 outputs=y",
    "add_rms_norm rows=64 cols=768 outputs=y,sum",
    "add_rms_norm rows=8 cols=4096 x=bf16 outputs=y,sum inplace=sum:residual",
    "add_layer_norm rows=64 cols=384 outputs=y,sum",
    "l2_normalize rows=256 cols=128 outputs=y",
    "group_norm batch=4 channel=64 group=8 space=49 outputs=y",
    "batch_norm_train batch=64 channel=256 space=1 outputs=y",
};
constexpr std::string_view kOpen[] = {"rows", "unroll", "keep", "prefetch", "tile"}; ///< knobs of the small space
constexpr int kFinalists = 12;                                                       ///< of the whole space, in the last comparison
constexpr uint64_t kSeeds[] = {1, 2};

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// A backend with some of its knobs open alone, so that the whole space can be measured.
class SmallSpace final : public Backend {
public:
  explicit SmallSpace(const Backend &real) : real(real) {}
  std::string_view name() const override { return real.name(); }
  std::span<const Knob> knobs() const override { return real.knobs(); }
  Schedule default_schedule(const SweepPlan &plan, const Target &target) const override { return real.default_schedule(plan, target); }
  std::optional<std::string> inapplicable(const SweepPlan &plan, const Schedule &schedule, const Target &target) const override {
    const Schedule start = default_schedule(plan, target);
    for (size_t i = 0; i < knobs().size(); ++i)
      if (std::ranges::find(kOpen, knobs()[i].name) == std::end(kOpen) && schedule.mapping.values[i] != start.mapping.values[i])
        return "schedule: " + std::string(knobs()[i].name) + ": not open here";
    return real.inapplicable(plan, schedule, target);
  }
  Kernel compile(const SweepPlan &plan, const Schedule &schedule, const Target &target, const std::string &symbol,
                 StageText *text) const override {
    return real.compile(plan, schedule, target, symbol, text);
  }

private:
  const Backend &real;
};

/// Samples by round, and the first kernel's second ones.
struct Times {
  std::map<int, double> first, twin;
};
struct WarmAndCold {
  Times warm, cold;
};

std::vector<WarmAndCold> sample(const SweepPlan &plan, const Target &target, const std::vector<const Kernel *> &kernels,
                                const MeasureOptions &options) {
  const std::vector<Timings> timings = measure(
      plan.problem, target, plan.problem, kernels, std::vector<bool>(kernels.size(), true), options, [](int) {}, [] { return false; });
  std::vector<WarmAndCold> times(kernels.size());
  for (size_t k = 0; k < kernels.size(); ++k)
    for (const Samples &samples : timings[k].samples) {
      Times &of = samples.regime == Regime::cold ? times[k].cold : times[k].warm;
      for (size_t i = 0; i < samples.rounds.size(); ++i)
        (samples.twin ? of.twin : of.first)[samples.rounds[i]] = samples.seconds[i];
    }
  return times;
}

LogRatio ratio(const std::map<int, double> &times, const std::map<int, double> &base) {
  std::vector<double> logs;
  for (const auto &[round, seconds] : times)
    if (const auto at = base.find(round); at != base.end())
      logs.push_back(std::log(seconds / at->second));
  return summarize(logs);
}

/// What the kernel loses with cold caches, as a search counts it.
double cold_loss(const WarmAndCold &kernel, const WarmAndCold &by_default) {
  if (by_default.cold.twin.empty())
    return 0;
  const ShapeResult shape{.cold_noise = noise_floor(ratio(by_default.cold.twin, by_default.cold.first))};
  return normforge::cold_loss(shape, {.cold = ratio(kernel.cold.first, by_default.cold.first)});
}

/// A directory for a search's database, gone with the object.
struct Scratch {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("normforge-bench-" + std::to_string(::getpid()));
  Scratch() { std::filesystem::create_directories(path); }
  ~Scratch() { std::filesystem::remove_all(path); }
};

/// Searches afresh. What the search led with, and when, goes into `moments` as schedules' texts.
Found search_once(const Problem &problem, const SearchOptions &base, Effort effort, double seconds, uint64_t seed,
                  std::vector<std::pair<double, std::string>> &leaders) {
  const Scratch scratch;
  SearchOptions options = base;
  options.effort = effort;
  options.budget_seconds = seconds;
  options.seed = seed;
  options.database = scratch.path / "db";
  const auto start = Clock::now();
  const auto show = [&](const Progress &at) {
    if (!at.leader.empty() && (leaders.empty() || leaders.back().second != at.leader))
      leaders.emplace_back(since(start), at.leader);
  };
  const std::vector<SearchResult> results = search({&problem, 1}, options, show, {}, {});
  const Found found{results.front().answer.bands.front().schedule, since(start), {}, {}};
  leaders.emplace_back(found.seconds, found.schedule);
  return found;
}

} // namespace

std::span<const std::string_view> search_problems() { return kProblems; }

SearchCell search_quality(std::string_view text, const Target &target, double quick_seconds, double patient_seconds) {
  const Problem problem = parse_problem(text);
  const SweepPlan plan = make_sweep_plan(problem);
  const SmallSpace backend(backend_for(target));
  SearchCell cell{.problem = text};

  // The whole space: each machine code once, the default first.
  std::map<std::string, size_t> index; // of schedules' texts
  std::vector<std::string> texts;
  std::vector<Kernel> kernels;
  std::map<uint64_t, size_t> by_code;
  for (const Schedule &schedule : all_schedules(space_of(plan, target, backend, false))) {
    Kernel kernel = backend.compile(plan, schedule, target, "kernel", nullptr);
    const std::string name = to_text(schedule, backend.knobs());
    const auto [at, fresh] = by_code.try_emplace(kernel.code_hash, kernels.size());
    index[name] = at->second;
    if (fresh) {
      texts.push_back(name);
      kernels.push_back(std::move(kernel));
    }
  }
  cell.schedules = kernels.size();
  std::vector<const Kernel *> all;
  for (const Kernel &kernel : kernels)
    all.push_back(&kernel);
  const std::vector<WarmAndCold> times = sample(plan, target, all, {.seed = 7, .rounds = 15, .survivors = 2 * kFinalists});
  std::vector<double> logs; // against the default
  for (const WarmAndCold &each : times)
    logs.push_back(ratio(each.warm.first, times[0].warm.first).value);
  std::vector<size_t> order(kernels.size());
  for (size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::ranges::sort(order, {}, [&](size_t i) { return logs[i]; });

  const SearchOptions options{.target = &target, .backend = &backend, .effort = Effort::quick};
  struct Way {
    Found SearchCell::*found;
    Effort effort;
    double seconds;
    uint64_t seed;
    std::vector<std::pair<double, std::string>> leaders;
  } ways[] = {{&SearchCell::quick, Effort::quick, quick_seconds, kSeeds[0], {}},
              {&SearchCell::other_seed, Effort::quick, quick_seconds, kSeeds[1], {}},
              {&SearchCell::patient, Effort::patient, patient_seconds, kSeeds[0], {}}};
  std::vector<size_t> finalists{0};
  const auto enter = [&](size_t i) {
    if (std::ranges::find(finalists, i) == finalists.end())
      finalists.push_back(i);
  };
  for (Way &way : ways) {
    cell.*way.found = search_once(problem, options, way.effort, way.seconds, way.seed, way.leaders);
    enter(index.at((cell.*way.found).schedule));
  }
  for (size_t i = 0; i < order.size() && i < size_t(kFinalists); ++i)
    enter(order[i]);

  // Those that were found beside the best of the whole space, by what a search counts, on fresh samples.
  std::vector<const Kernel *> last;
  for (size_t i : finalists)
    last.push_back(&kernels[i]);
  const std::vector<WarmAndCold> fresh =
      sample(plan, target, last, {.seed = 8, .rounds = 41, .confirms = true, .rotation_bytes = rotation_bytes(this_device().cache)});
  size_t best = 0;
  for (size_t i = 0; i < finalists.size(); ++i) {
    logs[finalists[i]] = ratio(fresh[i].warm.first, fresh[0].warm.first).value + cold_loss(fresh[i], fresh[0]);
    if (logs[finalists[i]] < logs[best])
      best = finalists[i];
  }
  const auto place = [&](size_t kernel) { return size_t(std::ranges::find(finalists, kernel) - finalists.begin()); };
  const auto between = [&](size_t kernel, size_t other) {
    const WarmAndCold &one = fresh[place(kernel)], &two = fresh[place(other)];
    LogRatio costs = ratio(one.warm.first, two.warm.first);
    const double colder = cold_loss(one, fresh[0]) - cold_loss(two, fresh[0]);
    for (double LogRatio::*part : {&LogRatio::value, &LogRatio::lo, &LogRatio::hi})
      costs.*part += colder;
    return costs;
  };
  cell.best = texts[best];
  cell.gain = std::exp(-logs[best]);
  cell.noise = noise_floor(ratio(fresh[0].warm.twin, fresh[0].warm.first));
  for (Way &way : ways) {
    Found &found = cell.*way.found;
    found.behind = between(index.at(found.schedule), best);
    for (const auto &[seconds, leader] : way.leaders)
      if (const auto at = index.find(leader); at != index.end())
        found.moments.push_back({seconds, std::exp(std::max(0.0, logs[at->second] - logs[best]))});
  }
  cell.between_seeds = between(index.at(cell.other_seed.schedule), index.at(cell.quick.schedule));
  return cell;
}

int false_winners(const Target &target, int runs) {
  int winners = 0;
  for (int run = 0; run < runs; ++run) {
    const Problem problem = parse_problem(kProblems[size_t(run) % std::size(kProblems)]);
    const SweepPlan plan = make_sweep_plan(problem);
    const Backend &backend = backend_for(target);
    const Question question = question_for(problem, target, backend, 1, "x86-64-v2 1M 1 cores made up");
    const Kernel kernel = backend.compile(plan, space_of(plan, target, backend, false).start, target, "kernel", nullptr);
    const Kernel *both[] = {&kernel, &kernel};
    const MeasureOptions options{.seed = uint64_t(run), .rounds = 15, .confirms = true, .rotation_bytes = 64 << 20};
    std::vector<Timings> timings = measure(problem, target, problem, both, {true, true}, options, [](int) {}, [] { return false; });
    Database database;
    for (size_t k : {0, 1}) {
      Record record{{hash_text(problem.norm->hash), to_text(problem), question.target, question.default_schedule, "", question.compiler,
                     question.device},
                    "",
                    0,
                    std::move(timings[k].samples)};
      if (k == 1)
        record.key.schedule += " again";
      database.add(std::move(record));
    }
    winners += choose(database, question).bands.front().schedule != question.default_schedule;
  }
  return winners;
}

} // namespace bench
