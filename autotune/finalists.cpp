#include "autotune/finalists.h"

#include <algorithm>

namespace normforge {
namespace {

constexpr size_t kLeaders = 6;   ///< of a shape, that may become finalists
constexpr size_t kFinalists = 6; ///< of all shapes together

} // namespace

std::vector<size_t> leaders(const ShapeResult &shape, const std::function<int(const std::string &)> &index_of, size_t count) {
  std::vector<std::pair<double, size_t>> ranked;
  for (const Standing &standing : shape.standings)
    if (const int i = index_of(standing.schedule); i >= 0 && standing.search.pairs >= kLeastPairs)
      ranked.emplace_back(i == 0 ? -kGain : standing.search.value, i);
  std::ranges::sort(ranked);
  std::vector<size_t> found;
  for (size_t i = 0; i < std::min(count, ranked.size()); ++i)
    found.push_back(ranked[i].second);
  return found;
}

std::vector<size_t> finalists(size_t shapes, const std::function<std::vector<size_t>(size_t, size_t)> &leaders_of) {
  std::vector<std::vector<size_t>> best;
  for (size_t shape = 0; shape < shapes; ++shape)
    best.push_back(leaders_of(shape, kLeaders));
  std::vector<size_t> found;
  for (size_t place = 0; place < kLeaders; ++place)
    for (const std::vector<size_t> &list : best)
      if (place < list.size() && list[place] != 0 && found.size() < kFinalists && std::ranges::find(found, list[place]) == found.end())
        found.push_back(list[place]);
  return found;
}

bool decided(const ShapeResult &shape) {
  if (shape.noisy)
    return false;
  const Standing &best = shape.standings[shape.best]; // of the default: 0
  return std::ranges::none_of(shape.standings, [&](const Standing &other) {
    return &other != &best && other.confirmed.pairs && other.confirmed.lo + cold_loss(shape, other) < cost(shape, best) - kGain;
  });
}

} // namespace normforge
