#include "autotune/bands.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "autotune/shapes.h"

namespace normforge {
namespace {

constexpr double kNever = 1e9;

/// What serving a shape with a schedule costs; what cannot be told from the default counts as equal to it. kNever where it
/// is slower or was not compared.
double serving_cost(const ShapeResult &shape, const std::string &schedule) {
  if (shape.standings.empty())
    return 0;
  const Standing *standing = shape.find(schedule);
  if (standing == &shape.standings.front())
    return 0;
  if (!standing || standing->confirmed.pairs < kLeastPairs || slower(standing->confirmed, shape.noise) || loses_cold(shape, *standing))
    return kNever;
  return wins(shape, *standing) ? cost(shape, *standing) : 0;
}

/// The warm log-ratio of a schedule that serves a shape.
double warm_ratio(const ShapeResult &shape, const std::string &schedule) {
  const Standing *standing = shape.find(schedule);
  return standing && wins(shape, *standing) ? standing->confirmed.value : 0;
}

/// The fewest bands by `schedules`; none where they leave a shape without one that is no slower than the default.
std::vector<Band> fewest_bands(const Question &question, const std::vector<ShapeResult> &shapes, const std::set<std::string> &schedules) {
  const int ladder = ladder_axis(question.problem);
  std::vector<double> best; // by shape
  for (const ShapeResult &shape : shapes) {
    best.push_back(kNever);
    for (const std::string &schedule : schedules)
      best.back() = std::min(best.back(), serving_cost(shape, schedule));
  }
  std::vector<Band> bands;
  for (size_t first = 0; first < shapes.size();) {
    // The schedule that serves the longest stretch from here on; of several, the fastest, and the default where nothing is faster. Such
    // stretches make the fewest bands.
    size_t longest = 0;
    double least = 0;
    std::string chosen;
    for (const std::string &schedule : schedules) {
      size_t end = first;
      double total = 0;
      for (; end < shapes.size(); ++end) {
        const double mine = serving_cost(shapes[end], schedule);
        if (mine == kNever || mine > best[end] + std::log1p(kWithin))
          break;
        total += mine;
      }
      const bool better = total < least || (total == least && schedule == question.default_schedule);
      if (end - first > longest || (end - first == longest && longest && better))
        longest = end - first, least = total, chosen = schedule;
    }
    if (longest == 0)
      return {};
    Band band{question.problem, chosen, 1};
    const size_t end = first + longest;
    double worst = -1e9;
    for (size_t i = first; i < end; ++i)
      worst = std::max(worst, warm_ratio(shapes[i], chosen));
    band.gain = std::exp(-worst);
    if (ladder >= 0) { // bands meet half way, on the ladder's scale
      const auto extent = [&](size_t i) { return double(shapes[i].shape.extents[size_t(ladder)].lo); };
      const auto border = [&](size_t i) { return int64_t(std::sqrt(extent(i - 1) * extent(i))); };
      Extent &range = band.problem.extents[size_t(ladder)];
      if (first > 0)
        range.lo = border(first) + 1;
      if (end < shapes.size())
        range.hi = border(end);
    }
    bands.push_back(std::move(band));
    first = end;
  }
  return bands;
}

/// What bands cost over all shapes, which lie in them in order.
double total_cost(const std::vector<Band> &bands, const std::vector<ShapeResult> &shapes) {
  double total = 0;
  for (const ShapeResult &shape : shapes)
    for (const Band &band : bands)
      if (lies_within(shape.shape, band.problem))
        total += serving_cost(shape, band.schedule);
  return total;
}

} // namespace

std::vector<Problem> border_shapes(const Question &question, const Answer &answer) {
  const int axis = ladder_axis(question.problem); // bands may be of one extent, and have none
  if (axis < 0)
    return {};
  const auto ladder = size_t(axis);
  std::vector<Problem> found;
  const auto band_of = [&](const Problem &shape) {
    return std::ranges::find_if(answer.bands, [&](const Band &band) { return lies_within(shape, band.problem); });
  };
  for (size_t i = 1; i < answer.shapes.size(); ++i) {
    const Problem &smaller = answer.shapes[i - 1].shape, &larger = answer.shapes[i].shape;
    const auto before = band_of(smaller), after = band_of(larger);
    if (before == after || before == answer.bands.end() || after == answer.bands.end() || before->schedule == after->schedule)
      continue;
    const int64_t lo = smaller.extents[ladder].lo, hi = larger.extents[ladder].lo;
    const auto half_way = int64_t(std::sqrt(double(lo) * double(hi)));
    if (hi / 2 < lo || half_way == lo)
      continue;
    found.push_back(smaller);
    found.back().extents[ladder] = {half_way, half_way};
  }
  return found;
}

std::string numerics_half(const std::string &schedule) { return schedule.substr(0, schedule.find(" |")); }

std::vector<Band> make_bands(const Question &question, const std::vector<ShapeResult> &shapes) {
  constexpr double kNumericsGain = 0.01;
  if (shapes.empty())
    return {{question.problem, question.default_schedule, 1}};
  const std::string default_half = numerics_half(question.default_schedule);
  std::map<std::string, std::set<std::string>> schedules; // by half
  schedules[default_half].insert(question.default_schedule);
  for (const ShapeResult &shape : shapes)
    for (const Standing &standing : shape.standings)
      schedules[numerics_half(standing.schedule)].insert(standing.schedule);
  std::vector<Band> best = fewest_bands(question, shapes, schedules[default_half]);
  double least = total_cost(best, shapes) - kNumericsGain * double(shapes.size());
  for (const auto &[half, of_half] : schedules)
    if (half != default_half)
      if (std::vector<Band> bands = fewest_bands(question, shapes, of_half); !bands.empty())
        if (const double total = total_cost(bands, shapes); total < least)
          least = total, best = std::move(bands);
  return best;
}

} // namespace normforge
