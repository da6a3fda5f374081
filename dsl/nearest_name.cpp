// "Did you mean": the candidate within a third of the name's length in edits.
#include <algorithm>
#include <numeric>
#include <utility>

#include "dsl/norm.h"

namespace normforge {
namespace {

// Insertions, deletions, changes, and exchanges of neighbours (the restricted Damerau distance). Anything from `limit` on is as good as
// far.
size_t edit_distance(std::string_view a, std::string_view b, size_t limit) {
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) >= limit)
    return limit;
  std::vector<size_t> before, above, row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(above, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({row[j - 1] + 1, above[j] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

} // namespace

std::string nearest_name(std::string_view name, const std::vector<std::string> &candidates) {
  std::string best;
  size_t least = name.size() < 2 ? 1 : std::max<size_t>(1, name.size() / 3) + 1; // a letter is near to every other
  for (const std::string &candidate : candidates)
    if (const size_t distance = edit_distance(name, candidate, least); distance < least) {
      least = distance;
      best = candidate;
    }
  return best;
}

} // namespace normforge
