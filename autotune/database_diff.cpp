#include "autotune/database_diff.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "autotune/superseded.h"

namespace normforge {
namespace {

/// One shape measured in one way: what an answer is about.
using Place = std::tuple<std::string, std::string, std::string, std::string, std::string, int>; // norm, problem, …, threads

/// For each place, the schedules that stand as the default there, with the number of their second samples: a default is measured twice.
using Defaults = std::map<Place, std::map<std::string, size_t>>;

Defaults defaults_of(const Database &database) {
  Defaults defaults;
  for (const auto &[key, record] : database.records())
    for (const Samples &samples : record.samples)
      if (samples.twin)
        defaults[{key.norm, key.problem, key.target, key.compiler, key.device, samples.threads}][key.schedule] += samples.rounds.size();
  return defaults;
}

ShapeAnswer answer_at(const Database &database, const Defaults &defaults, const Place &place, const Problem &shape) {
  const auto found = defaults.find(place);
  if (found == defaults.end())
    return {};
  const auto &[norm, text, target, compiler, device, threads] = place;
  const std::string &by_default = std::ranges::max_element(found->second, {}, [](const auto &one) { return one.second; })->first;
  const ShapeResult result = compare(database, {shape, target, compiler, device, by_default, threads}, shape);
  if (result.standings.empty())
    return {};
  const Standing &best = result.standings[result.best];
  return {best.schedule, result.best ? std::exp(-best.confirmed.value) : 1};
}

} // namespace

DatabaseDiff diff(const Database &before, const Database &after, const std::string &directory) {
  DatabaseDiff found;
  for (const auto &[key, record] : before.records())
    if (const Record *other = after.find(key); !other)
      found.removed.push_back(key);
    else if (*other != record)
      found.changed.push_back(key);
  for (const auto &[key, record] : after.records())
    if (!before.find(key))
      found.added.push_back(key);
  const Defaults mine = defaults_of(before), theirs = defaults_of(after);
  std::set<Place> places;
  for (const Defaults *defaults : {&mine, &theirs})
    for (const auto &[place, schedules] : *defaults)
      places.insert(place);
  for (const Place &place : places) {
    const auto shape = known_problem({.norm = std::get<0>(place), .problem = std::get<1>(place)}, directory);
    if (!shape) {
      ++found.unknown;
      continue;
    }
    ChangedAnswer answer;
    std::tie(std::ignore, answer.problem, answer.target, answer.compiler, answer.device, answer.threads) = place;
    answer.before = answer_at(before, mine, place, *shape);
    answer.after = answer_at(after, theirs, place, *shape);
    if (answer.before.schedule != answer.after.schedule)
      found.answers.push_back(std::move(answer));
  }
  return found;
}

} // namespace normforge
