#include "autotune/effects.h"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace normforge {
namespace {

std::vector<std::string> words(const std::string &schedule) {
  std::istringstream text(schedule);
  std::vector<std::string> list;
  for (std::string word; text >> word;)
    list.push_back(word);
  return list;
}

/// The position in which two schedules differ, if there is exactly one.
int only_difference(const std::vector<std::string> &a, const std::vector<std::string> &b) {
  int found = -1;
  for (size_t i = 0; i < std::max(a.size(), b.size()); ++i)
    if (i >= a.size() || i >= b.size() || a[i] != b[i]) {
      if (found >= 0)
        return -1;
      found = int(i);
    }
  return found >= int(std::min(a.size(), b.size())) ? -1 : found;
}

double known_ratio(const Standing &standing) { return standing.confirmed.pairs ? standing.confirmed.value : standing.search.value; }

} // namespace

std::vector<Effect> effects(const ShapeResult &shape, const std::string &schedule) {
  std::vector<Effect> found;
  const Standing *mine = shape.find(schedule);
  if (!mine)
    return found;
  const std::vector<std::string> my_words = words(schedule);
  for (const Standing &other : shape.standings) {
    const std::vector<std::string> other_words = words(other.schedule);
    if (const int at = only_difference(my_words, other_words); at >= 0)
      found.push_back({my_words[size_t(at)], other_words[size_t(at)], known_ratio(*mine) - known_ratio(other)});
  }
  std::ranges::sort(found, std::greater(), [](const Effect &effect) { return std::fabs(effect.log_ratio); });
  return found;
}

std::string difference(const std::string &schedule, const std::string &from) {
  const std::vector<std::string> mine = words(schedule), other = words(from);
  std::string text;
  for (const std::string &word : mine)
    if (std::ranges::find(other, word) == other.end())
      text += (text.empty() ? "" : " ") + word;
  return text.empty() ? "default" : text;
}

} // namespace normforge
