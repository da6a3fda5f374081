#include "tests/conformance/schedules.h"

#include <algorithm>
#include <optional>
#include <random>

namespace normforge::testing {
namespace {

constexpr int kTries[] = {400, 40};    ///< draws until one serves the problem, for one choice and for two
constexpr int kPatience[] = {1000, 6}; ///< problems that none served, until they are given up

/// What draws begin from: the default, and its mapping with the other algorithm where the norm has it.
std::vector<Schedule> bases(const Backend &backend, const SweepPlan &plan, const Target &target) {
  Schedule base = backend.default_schedule(plan, target), other = base;
  other.numerics.algorithm = base.numerics.algorithm == Numerics::two_pass ? Numerics::chunked : Numerics::two_pass;
  if (backend.inapplicable(plan, other, target))
    return {base};
  return {base, other};
}

/// Any schedule with the choices. Half of the other knobs stand at their neutral value or, in every second draw, as they do in `base`.
Schedule any_schedule(const Schedule &base, std::span<const Knob> knobs, const std::vector<Choice> &choices, std::mt19937_64 &random) {
  Schedule schedule = base;
  const bool neutral = random() % 2;
  const auto any_of = [&](std::span<const int64_t> values) { return values[random() % values.size()]; };
  for (size_t i = 0; i < knobs.size(); ++i)
    if (random() % 2)
      schedule.mapping.values[i] = any_of(knobs[i].values);
    else if (neutral)
      schedule.mapping.values[i] = knobs[i].values.front();
  for (const auto &[knob, value] : choices) // none of those that it goes with at its neutral value, unless that was chosen
    if (value != knobs[knob].values.front())
      for (std::string_view name = knobs[knob].together; !name.empty();) {
        const auto next = std::ranges::find(knobs, name, &Knob::name);
        schedule.mapping.values[size_t(next - knobs.begin())] = any_of(next->values.subspan(1));
        name = next->together;
      }
  for (const auto &[knob, value] : choices)
    schedule.mapping.values[knob] = value;
  return schedule;
}

/// One that serves the problem.
std::optional<Schedule> draw_with(const Backend &backend, const SweepPlan &plan, const Target &target, const std::vector<Schedule> &from,
                                  const std::vector<Choice> &choices, std::mt19937_64 &random) {
  for (int tries = 0; tries < kTries[choices.size() - 1]; ++tries)
    if (const Schedule schedule = any_schedule(from[random() % from.size()], backend.knobs(), choices, random);
        !backend.inapplicable(plan, schedule, target))
      return schedule;
  return std::nullopt;
}

std::vector<Choice> all_choices(std::span<const Knob> knobs) {
  std::vector<Choice> all;
  for (size_t knob = 0; knob < knobs.size(); ++knob)
    for (int64_t value : knobs[knob].values)
      all.emplace_back(knob, value);
  return all;
}

} // namespace

std::vector<Schedule> sample_schedules(const Backend &backend, const SweepPlan &plan, const Target &target, int count, uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::vector<Schedule> from = bases(backend, plan, target);
  const std::vector<Choice> choices = all_choices(backend.knobs());
  std::vector<Schedule> found = from;
  for (int tries = 0; int(found.size()) < count && tries < 4 * count; ++tries)
    if (const auto schedule = draw_with(backend, plan, target, from, {choices[random() % choices.size()]}, random);
        schedule && std::ranges::find(found, *schedule) == found.end())
      found.push_back(*schedule);
  return found;
}

std::vector<std::vector<Choice>> Coverage::combinations(const std::vector<Choice> &choices) const {
  std::vector<std::vector<Choice>> found;
  for (size_t a = 0; a < choices.size(); ++a)
    if (width == 1)
      found.push_back({choices[a]});
    else
      for (size_t b = 0; b < a; ++b)
        if (choices[a].first != choices[b].first)
          found.push_back({choices[b], choices[a]});
  return found;
}

std::vector<std::vector<Choice>> Coverage::fresh(const Schedule &schedule) const {
  std::vector<Choice> choices;
  for (size_t knob = 0; knob < schedule.mapping.values.size(); ++knob)
    choices.emplace_back(knob, schedule.mapping.values[knob]);
  std::vector<std::vector<Choice>> all = combinations(choices);
  std::erase_if(all, [&](const auto &each) { return taken.contains(each); });
  return all;
}

std::vector<std::vector<Choice>> Coverage::missing() const {
  std::vector<std::vector<Choice>> all = combinations(all_choices(backend.knobs()));
  std::erase_if(all, [&](const auto &each) { return taken.contains(each); });
  return all;
}

void Coverage::take(const Schedule &schedule) {
  const auto all = fresh(schedule);
  taken.insert(all.begin(), all.end());
}

std::vector<Schedule> Coverage::draw(const SweepPlan &plan, const Target &target, size_t most, uint64_t seed) {
  constexpr int kCandidates = 4; // of which the one with the most that is fresh is taken
  std::mt19937_64 random(seed);
  const std::vector<Schedule> from = bases(backend, plan, target);
  std::vector<std::vector<Choice>> wanted = missing();
  std::ranges::shuffle(wanted, random);
  std::ranges::sort(wanted, std::greater(), [&](const auto &choices) { return in_vain[choices]; }); // few problems are served by those
  std::vector<Schedule> found;
  for (const std::vector<Choice> &choices : wanted) {
    if (found.size() == most)
      break;
    if (taken.contains(choices) || in_vain[choices] == kPatience[width - 1])
      continue;
    std::optional<Schedule> best;
    for (int i = 0; i < kCandidates; ++i)
      if (const auto schedule = draw_with(backend, plan, target, from, choices, random); !schedule)
        break;
      else if (!best || fresh(*schedule).size() > fresh(*best).size())
        best = schedule;
    if (!best) {
      ++in_vain[choices];
      continue;
    }
    take(*best);
    found.push_back(*best);
  }
  return found;
}

} // namespace normforge::testing
