#include "autotune/space.h"

#include <algorithm>
#include <functional>

#include "codegen/package/selection.h"

namespace normforge {
namespace {

constexpr int64_t kChunks[] = {256, 512, 1024};

/// Numerics halves that differ from `center` in one choice. (`fold` costs the same either way.)
std::vector<Numerics> other_numerics(const Numerics &center) {
  std::vector<Numerics> found;
  const auto add = [&](auto Numerics::*choice, auto value) {
    Numerics numerics = center;
    numerics.*choice = value;
    if (!(numerics == center))
      found.push_back(numerics);
  };
  for (Numerics::Algorithm algorithm : {Numerics::two_pass, Numerics::chunked})
    add(&Numerics::algorithm, algorithm);
  for (int lanes : {center.lanes / 4, center.lanes / 2, center.lanes * 2, center.lanes * 4})
    if (lanes >= 1 && lanes <= kMostLanes)
      add(&Numerics::lanes, lanes);
  for (int64_t chunk : kChunks)
    add(&Numerics::chunk, chunk);
  for (bool fma : {false, true})
    add(&Numerics::fma, fma);
  return found;
}

bool serves(const Space &space, const Schedule &schedule) { return !space.backend.inapplicable(space.plan, schedule, space.target); }

/// Calls visit for each product of the mapping tables from row `knob` on.
template <class Visit> void for_each_mapping(const Space &space, Schedule &schedule, size_t knob, const Visit &visit) {
  if (knob == schedule.mapping.values.size())
    return visit(schedule);
  for (int64_t value : space.backend.knobs()[knob].values) {
    schedule.mapping.values[knob] = value;
    for_each_mapping(space, schedule, knob + 1, visit);
  }
}

} // namespace

Space space_of(const SweepPlan &plan, const Target &target, const Backend &backend, bool numerics) {
  return {backend, target, plan, default_schedule(backend, plan, target, pinned_numerics(plan.problem, target)), numerics};
}

std::vector<Schedule> neighbours(const Space &space, const Schedule &center) {
  std::vector<Schedule> found;
  const std::span<const Knob> knobs = space.backend.knobs();
  const auto add = [&](const Schedule &schedule) {
    const bool fits = serves(space, schedule);
    if (fits && std::ranges::find(found, schedule) == found.end())
      found.push_back(schedule);
    return fits;
  };
  // Beside each value of the knob that it goes with and, where none of those serves either, of the one that goes with that.
  const std::function<bool(const Schedule &, size_t)> add_beside = [&](const Schedule &schedule, size_t knob) {
    const auto pair = std::ranges::find(knobs, knobs[knob].together, &Knob::name);
    if (pair == knobs.end())
      return false;
    const auto other = size_t(pair - knobs.begin());
    std::vector<Schedule> all(pair->values.size(), schedule);
    for (size_t i = 0; i < all.size(); ++i)
      all[i].mapping.values[other] = pair->values[i];
    bool fits = false;
    for (const Schedule &both : all)
      fits |= add(both);
    for (size_t i = 0; i < all.size() && !fits; ++i)
      fits |= add_beside(all[i], other);
    return fits;
  };
  // Beside another value, or `all` others, of the first knob that makes room.
  const auto add_with_room = [&](const Schedule &schedule, size_t knob, bool all) {
    const size_t before = found.size();
    for (size_t other = 0; other < knobs.size() && found.size() == before; ++other)
      for (int64_t room : knobs[other].values)
        if (other != knob && room != center.mapping.values[other] && (all || found.size() == before)) {
          Schedule both = schedule;
          both.mapping.values[other] = room;
          add(both);
        }
  };
  for (size_t knob = 0; knob < knobs.size(); ++knob) {
    for (int64_t value : knobs[knob].values) {
      Schedule schedule = center;
      schedule.mapping.values[knob] = value;
      if (value == center.mapping.values[knob])
        continue;
      bool fits = add(schedule);
      fits |= add_beside(schedule, knob);
      if (!fits)
        add_with_room(schedule, knob, true);
    }
  }
  if (!space.numerics)
    return found;
  for (const Numerics &numerics : other_numerics(center.numerics)) {
    add({numerics, center.mapping});
    for (size_t knob = 0; knob < knobs.size(); ++knob) // what it alone makes room for: more lanes, say, for other threads
      for (int64_t value : knobs[knob].values) {
        Schedule schedule = center;
        schedule.mapping.values[knob] = value;
        if (!serves(space, schedule)) {
          schedule.numerics = numerics;
          if (!add(schedule))
            add_with_room(schedule, knob, false);
        }
      }
  }
  return found;
}

std::vector<Schedule> all_schedules(const Space &space) {
  std::vector<Schedule> found{space.start};
  std::vector<Numerics> halves{space.start.numerics};
  if (space.numerics)
    for (const Numerics &numerics : other_numerics(space.start.numerics))
      halves.push_back(numerics);
  for (const Numerics &numerics : halves) {
    Schedule schedule{numerics, space.start.mapping};
    for_each_mapping(space, schedule, 0, [&](const Schedule &each) {
      if (!(each == space.start) && serves(space, each))
        found.push_back(each);
    });
  }
  return found;
}

} // namespace normforge
