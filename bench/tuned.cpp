#include "bench/tuned.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <stdexcept>

#include "autotune/effects.h"
#include "autotune/measure.h"
#include "autotune/search.h"
#include "autotune/shapes.h"
#include "bench/generated.h"
#include "codegen/package/kernel_cache.h"

namespace bench {
namespace {

using namespace normforge;

constexpr int64_t kRows[] = {1, 8, 64, 512, 4096}, kHeldOutRows[] = {24, 200, 2000};
constexpr int64_t kCols[] = {64, 384, 768, 1000, 1024, 4096, 16384, 65536}, kHeldOutCols = 768;
constexpr int64_t kMostBytes = 512 << 20; ///< of a call's tensors
constexpr int64_t kLine = 64;             ///< bytes: where streaming stores of hand-written kernels want rows to begin

/// A norm as a problem: rows are what it normalizes one by one, as far as it does.
struct TunedNorm {
  std::string_view name;
  std::string (*problem)(const std::string &rows, int64_t cols, const std::string &rest);
  bool ranges; ///< whether rows are kept, so that one search serves many of them
  std::optional<hand::Norm> hand;
};

std::string over_rows(const char *norm, const std::string &rows, int64_t cols, const std::string &rest) {
  return std::string(norm) + " rows=" + rows + " cols=" + std::to_string(cols) + rest;
}

constexpr TunedNorm kNorms[] = {
    {"layer_norm", [](const std::string &rows, int64_t cols, const std::string &rest) { return over_rows("layer_norm", rows, cols, rest); },
     true, hand::Norm::layer_norm},
    {"rms_norm", [](const std::string &rows, int64_t cols, const std::string &rest) { return over_rows("rms_norm", rows, cols, rest); },
     true, hand::Norm::rms_norm},
    {"softmax", [](const std::string &rows, int64_t cols, const std::string &rest) { return over_rows("softmax", rows, cols, rest); }, true,
     hand::Norm::softmax},
    {"add_rms_norm",
     [](const std::string &rows, int64_t cols, const std::string &rest) { return over_rows("add_rms_norm", rows, cols, rest + ",sum"); },
     true,
     {}},
    {"batch_norm_train", // of features: as many channels as there are columns
     [](const std::string &rows, int64_t cols, const std::string &rest) {
       return "batch_norm_train batch=" + rows + " channel=" + std::to_string(cols) + " space=1" + rest;
     },
     false,
     {}},
    {"group_norm", // eight groups share a row
     [](const std::string &rows, int64_t cols, const std::string &rest) {
       const int64_t sub = cols % 64 ? 5 : 8;
       return "group_norm batch=" + rows + " group=8 sub=" + std::to_string(sub) + " space=" + std::to_string(cols / 8 / sub) + rest;
     },
     true,
     {}},
};

const TunedNorm &norm_named(std::string_view name) { return *std::ranges::find(kNorms, name, &TunedNorm::name); }

Problem problem_of(const TunedCase &of, const std::string &rows) {
  return parse_problem(norm_named(of.norm).problem(rows, of.shape.cols, " x=" + std::string(of.element) + " outputs=y"));
}

/// What is tuned for a case: all rows up to the most, or these alone.
Problem tuned_problem(const TunedCase &of, bool alone) {
  const bool range = norm_named(of.norm).ranges && !alone;
  return problem_of(of, range ? "1.." + std::to_string(std::ranges::max(kRows)) : std::to_string(of.shape.rows));
}

Ratio ratio(const std::vector<double> &logs) {
  const LogRatio summary = summarize(logs);
  return {std::exp(summary.value), std::exp(summary.lo), std::exp(summary.hi)};
}

struct Compared {
  Ratio ratio;
  double seconds, noise;
};

/// `kernel` over `base` at a shape, warm.
Compared compare(const SweepPlan &plan, const Target &target, const Problem &shape, const Kernel &base, const Kernel &kernel, int threads,
                 int rounds) {
  const Kernel *both[] = {&base, &kernel};
  const normforge::MeasureOptions options{.threads = threads, .seconds = 20, .rounds = rounds};
  const std::vector<Timings> timings =
      normforge::measure(plan.problem, target, shape, both, {true, true}, options, [](int) {}, [] { return false; });
  std::vector<double> seconds[3]; // base, its twin, the other
  for (size_t k : {0, 1}) {
    if (!timings[k].rejected.empty())
      throw std::runtime_error(to_text(shape) + ": " + timings[k].rejected);
    for (const Samples &samples : timings[k].samples)
      seconds[k == 1 ? 2 : samples.twin ? 1 : 0] = samples.seconds;
  }
  const auto logs = [&](const std::vector<double> &times) {
    std::vector<double> list;
    for (size_t i = 0; i < times.size(); ++i)
      list.push_back(std::log(times[i] / seconds[0][i]));
    return list;
  };
  return {ratio(logs(seconds[2])), normforge::median(seconds[0]), std::expm1(noise_floor(summarize(logs(seconds[1]))))};
}

/// The schedule that a tuned library has for the shape.
std::string chosen(const SearchResult &result, const Problem &shape) {
  for (const Band &band : result.answer.bands)
    if (lies_within(shape, band.problem))
      return band.schedule;
  return result.question.default_schedule;
}

/// Searches once for all cases that share the problem.
const SearchResult &tune(const Problem &problem, const TunedCase &of, const TunedOptions &options,
                         const std::function<void(const std::string &)> &said) {
  static std::map<std::pair<std::string, int>, SearchResult> found; // by problem and threads
  const std::pair key(to_text(problem), of.threads);
  if (const auto at = found.find(key); at != found.end())
    return at->second;
  said("tuning " + key.first);
  SearchOptions how{.target = options.target, .backend = &backend_for(*options.target)};
  how.budget_seconds = options.budget_seconds;
  how.threads = of.threads;
  how.resume = true;
  how.database = options.database;
  how.cache = default_cache_directory();
  return found.emplace(key, search({&problem, 1}, how, {}, {}, {}).front()).first->second;
}

/// The tuned kernel beside the hand-written ones, the best of which is chosen on samples of its own.
void compare_with_hand_written(TunedCell &cell, const TunedCase &of, hand::Norm norm, const SweepPlan &plan, const Schedule &schedule,
                               const TunedOptions &options) {
  const Workload work(norm, of.element == "f32" ? hand::Element::f32 : hand::Element::bf16, of.shape);
  const Generated tuned = generate(work, plan, schedule, *options.target);
  std::vector<Candidate> all{{tuned.schedule, [&] { tuned.run(of.threads); }}};
  for (const hand::Kernel &kernel : options.target->level == 4 ? hand::avx512_kernels() : hand::avx2_kernels())
    if (kernel.norm == work.norm && kernel.element == work.element && !(kernel.stream && work.bytes() / of.shape.rows % kLine))
      all.push_back({hand::name(kernel), [&] { run_rows(kernel, work, of.threads); }});
  for (const Candidate &candidate : all) {
    work.poison();
    candidate.run();
    if (const double error = work.error(); !(error <= work.tolerance()))
      throw std::runtime_error(name(of) + ", " + candidate.name + ": wrong by " + std::to_string(error));
  }
  const auto trial = measure(all, {.rounds = 5, .seed = 1});
  size_t best = 1;
  for (size_t i = 1; i < all.size(); ++i)
    if (median(trial[i]) < median(trial[best]))
      best = i;
  const auto samples = measure({all[0], all[1], all[best]}, {.rounds = options.rounds, .seed = 2});
  cell.hand = paired_ratio(samples[0], samples[1]);
  cell.best = paired_ratio(samples[0], samples[2]);
  cell.best_hand = all[best].name;
}

} // namespace

std::string name(const TunedCase &of) { return std::string(of.norm) + " " + std::string(of.element) + " " + name(of.shape); }

std::span<const std::string_view> tuned_norms() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> list;
    for (const TunedNorm &norm : kNorms)
      list.push_back(norm.name);
    return list;
  }();
  return names;
}

std::vector<Shape> tuned_shapes() {
  std::vector<Shape> shapes;
  for (int64_t cols : kCols) {
    for (int64_t rows : kRows)
      shapes.push_back({rows, cols});
    if (cols == kHeldOutCols)
      for (int64_t rows : kHeldOutRows)
        shapes.push_back({rows, cols});
  }
  return shapes;
}

std::vector<TunedCase> tuned_cases(int threads) {
  std::vector<TunedCase> cases;
  for (const TunedNorm &norm : kNorms)
    for (std::string_view element : {"f32", "bf16"})
      for (const Shape &shape : tuned_shapes()) {
        const bool held_out = std::ranges::find(kRows, shape.rows) == std::end(kRows);
        if (!held_out || norm.ranges)
          cases.push_back({norm.name, element, shape, threads, held_out});
      }
  return cases;
}

std::string left_out(const TunedCase &of) {
  if (of.norm == "batch_norm_train" && of.shape.rows == 1)
    return "one value has no variance";
  const int64_t bytes = tensor_bytes(problem_of(of, std::to_string(of.shape.rows)));
  if (bytes <= kMostBytes)
    return "";
  char text[64];
  std::snprintf(text, sizeof text, "its tensors take %.1f GiB", double(bytes) / (1 << 30));
  return text;
}

TunedCell measure(const TunedCase &of, const TunedOptions &options, const std::function<void(const std::string &)> &said) {
  const Target &target = *options.target;
  const Backend &backend = backend_for(target);
  const Problem problem = tuned_problem(of, false), shape = problem_of(of, std::to_string(of.shape.rows));
  const SearchResult &result = tune(problem, of, options, said);
  said("comparing " + name(of));
  const SweepPlan plan = make_sweep_plan(problem);
  const std::string &by_default = result.question.default_schedule, tuned = chosen(result, shape);
  const Schedule base = backend.default_schedule(plan, target), schedule = parse_schedule(tuned, backend.knobs(), base);
  const Kernel kernel = backend.compile(plan, schedule, target, "kernel");

  TunedCell cell{std::string(of.norm), std::string(of.element), of.shape, of.threads, of.held_out, std::string(target.name)};
  cell.choices = difference(tuned, by_default);
  const Compared compared =
      compare(plan, target, shape, backend.compile(plan, parse_schedule(by_default, backend.knobs(), base), target, "kernel"), kernel,
              of.threads, options.rounds);
  cell.seconds = compared.seconds;
  cell.noise = compared.noise;
  if (tuned != by_default)
    cell.tuned = compared.ratio;
  if (of.held_out) {
    const Problem alone = tuned_problem(of, true);
    const SweepPlan own_plan = make_sweep_plan(alone);
    const std::string own = chosen(tune(alone, of, options, said), shape);
    const Schedule own_schedule = parse_schedule(own, backend.knobs(), backend.default_schedule(own_plan, target));
    cell.own =
        compare(plan, target, shape, backend.compile(own_plan, own_schedule, target, "kernel"), kernel, of.threads, options.rounds).ratio;
  }
  if (const auto hand = norm_named(of.norm).hand; hand && target.level >= 3)
    compare_with_hand_written(cell, of, *hand, plan, schedule, options);
  return cell;
}

} // namespace bench
