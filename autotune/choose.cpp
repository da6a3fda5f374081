#include "autotune/choose.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "autotune/bands.h"
#include "autotune/machine.h"
#include "autotune/shapes.h"
#include "codegen/hash.h"

namespace normforge {
namespace {

/// Samples that may be compared: the same run, regime, threads and purpose.
using Group = std::tuple<uint64_t, Regime, bool, bool>; // run, regime, confirms, twin
using Times = std::map<Group, std::map<int, double>>;   // by round

void collect(Times &times, const Record &record, int threads) {
  for (const Samples &samples : record.samples)
    if (samples.threads == threads)
      for (size_t i = 0; i < samples.rounds.size(); ++i)
        times[{samples.run, samples.regime, samples.confirms, samples.twin}][samples.rounds[i]] = samples.seconds[i];
}

/// Log-ratios of `times` over `base`; with `twin`, the samples of `times` are the default's second ones.
LogRatio ratio(const Times &times, const Times &base, Regime regime, bool confirms, bool twin = false) {
  std::vector<double> logs;
  for (const auto &[group, rounds] : times) {
    const auto &[run, in_regime, in_confirming, is_twin] = group;
    const auto partner = base.find({run, regime, confirms, false});
    if (in_regime != regime || in_confirming != confirms || is_twin != twin || partner == base.end())
      continue;
    for (const auto &[round, seconds] : rounds)
      if (const auto at = partner->second.find(round); at != partner->second.end() && seconds > 0 && at->second > 0)
        logs.push_back(std::log(seconds / at->second));
  }
  return logs.empty() ? LogRatio{} : summarize(logs);
}

double typical_seconds(const Times &times, Regime regime) {
  std::vector<double> all;
  for (const auto &[group, rounds] : times)
    if (std::get<1>(group) == regime)
      for (const auto &[round, seconds] : rounds)
        all.push_back(seconds);
  return all.empty() ? 0 : median(std::move(all));
}

/// What a ranking goes by: the confirming run's ratio where there is one.
const LogRatio &best_known(const Standing &standing) { return standing.confirmed.pairs ? standing.confirmed : standing.search; }

ShapeResult judge(const Problem &shape, const std::map<std::string, Times> &by_schedule, const Question &question) {
  const std::string &default_schedule = question.default_schedule;
  const Regime deciding = deciding_regime(find_target(question.target));
  ShapeResult result{shape, 0, 0, {}, 0, false};
  const auto base = by_schedule.find(default_schedule);
  if (base == by_schedule.end())
    return result;
  const auto floor = [&](Regime regime) {
    LogRatio twin = ratio(base->second, base->second, regime, true, true);
    if (twin.pairs < kLeastPairs)
      twin = ratio(base->second, base->second, regime, false, true);
    return twin.pairs < kLeastPairs ? 0 : noise_floor(twin);
  };
  result.noise = floor(deciding);
  if (deciding != Regime::cold)
    result.cold_noise = floor(Regime::cold);
  for (const auto &[schedule, times] : by_schedule)
    result.standings.push_back({schedule, typical_seconds(times, deciding), ratio(times, base->second, deciding, false),
                                ratio(times, base->second, deciding, true),
                                deciding == Regime::cold ? LogRatio{} : ratio(times, base->second, Regime::cold, true)});
  std::ranges::sort(result.standings, {}, [&](const Standing &standing) {
    // Those that were confirmed stand before those that a search gave up earlier.
    return std::tuple(standing.schedule != default_schedule, standing.confirmed.pairs == 0, best_known(standing).value, standing.schedule);
  });
  for (size_t i = 1; i < result.standings.size(); ++i) {
    const Standing &standing = result.standings[i];
    if (wins(result, standing) && (result.best == 0 || cost(result, standing) < cost(result, result.standings[result.best])))
      result.best = i;
    result.noisy |=
        standing.confirmed.pairs && standing.confirmed.value < -0.01 && !wins(result, standing) && !loses_cold(result, standing);
  }
  result.noisy &= result.best == 0;
  return result;
}

/// Whether a Record's schedule may answer.
bool admits(const Question &question, const std::string &schedule) {
  return question.numerics || numerics_half(schedule) == numerics_half(question.default_schedule);
}

} // namespace

const Standing *ShapeResult::find(const std::string &schedule) const {
  const auto at = std::ranges::find(standings, schedule, &Standing::schedule);
  return at == standings.end() ? nullptr : &*at;
}

bool slower(const LogRatio &ratio, double noise) { return ratio.pairs >= kLeastPairs && ratio.lo > noise; }

double cold_loss(const ShapeResult &shape, const Standing &standing) {
  return standing.cold.pairs < kLeastPairs ? 0 : std::max(0.0, standing.cold.value - shape.cold_noise);
}

double cost(const ShapeResult &shape, const Standing &standing) { return standing.confirmed.value + cold_loss(shape, standing); }

bool loses_cold(const ShapeResult &shape, const Standing &standing) {
  return slower(standing.cold, shape.cold_noise) && cold_loss(shape, standing) >= -standing.confirmed.value;
}

bool wins(const ShapeResult &shape, const Standing &standing) {
  return shape.noise > 0 && standing.confirmed.pairs >= kLeastPairs && standing.confirmed.hi < -shape.noise && cost(shape, standing) < 0;
}

bool lies_within(const Problem &inner, const Problem &outer) {
  for (size_t axis = 0; axis < outer.extents.size(); ++axis)
    if (inner.extents.size() != outer.extents.size() || inner.extents[axis].lo < outer.extents[axis].lo ||
        inner.extents[axis].hi > outer.extents[axis].hi)
      return false;
  Problem same = inner;
  same.extents = outer.extents;
  return same == outer;
}

static bool answers(const RecordKey &key, const Question &question) {
  return key.norm == hash_text(question.problem.norm->hash) && key.target == question.target && key.compiler == question.compiler &&
         key.device == question.device;
}

Problem problem_of(const RecordKey &key, const Question &question) {
  NormRef norm = question.problem.norm;
  if (const std::string source = key.problem.substr(0, key.problem.find(' ')); source != norm->source) {
    Norm elsewhere = *norm;
    elsewhere.source = source;
    norm = std::make_shared<const Norm>(std::move(elsewhere));
  }
  return parse_problem(key.problem, norm, "database");
}

std::vector<std::string> devices_of(const Database &database, Question question) {
  std::set<std::string> found;
  for (const auto &[key, record] : database.records()) {
    question.device = key.device;
    if (!found.contains(key.device) && answers(key, question) && lies_within(problem_of(key, question), question.problem))
      found.insert(key.device);
  }
  return {found.begin(), found.end()};
}

std::string measured_default(const Database &database, const Question &question) {
  std::string found;
  for (const auto &[key, record] : database.records())
    if (answers(key, question) && std::ranges::any_of(record.samples, &Samples::twin) &&
        lies_within(problem_of(key, question), question.problem)) {
      if (key.schedule == question.default_schedule)
        return key.schedule;
      found = key.schedule;
    }
  return found.empty() ? question.default_schedule : found;
}

ShapeResult compare(const Database &database, const Question &question, const Problem &shape) {
  const std::string text = to_text(shape);
  std::map<std::string, Times> by_schedule;
  for (const auto &[key, record] : database.records())
    if (key.problem == text && record.rejected.empty() && answers(key, question) && admits(question, key.schedule))
      collect(by_schedule[key.schedule], record, question.threads);
  return judge(shape, by_schedule, question);
}

Answer choose(const Database &database, const Question &question) {
  Answer answer;
  std::map<std::string, std::map<std::string, Times>> by_shape; // then by schedule
  std::map<std::string, Problem> shapes;
  std::set<std::string> rejected;
  std::vector<const Record *> measured;
  std::map<std::string, std::optional<Problem>> parsed;
  for (const auto &[key, record] : database.records()) {
    if (!answers(key, question) || !admits(question, key.schedule))
      continue;
    auto [at, added] = parsed.try_emplace(key.problem);
    if (added)
      if (Problem problem = problem_of(key, question); lies_within(problem, question.problem))
        at->second = std::move(problem);
    if (!at->second)
      continue;
    if (!record.rejected.empty()) {
      if (rejected.insert(key.schedule).second)
        answer.rejections.push_back({key.schedule, record.rejected});
    } else if (!record.samples.empty()) {
      measured.push_back(&record);
      shapes.emplace(key.problem, *at->second);
    }
  }
  for (const Record *record : measured)
    if (!rejected.contains(record->key.schedule))
      collect(by_shape[record->key.problem][record->key.schedule], *record, question.threads);
  for (const auto &[text, by_schedule] : by_shape)
    if (ShapeResult result = judge(shapes.at(text), by_schedule, question); !result.standings.empty())
      answer.shapes.push_back(std::move(result));
  std::ranges::sort(answer.shapes, {}, [](const ShapeResult &shape) { return fixed_extents(shape.shape); });
  answer.bands = make_bands(question, answer.shapes);
  return answer;
}

} // namespace normforge
