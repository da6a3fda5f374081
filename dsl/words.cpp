#include "dsl/words.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "dsl/diagnostics.h"

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

/// The candidate within a third of the name's length in edits, or nothing.
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

} // namespace

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string joined(const std::vector<std::string> &names, std::string_view between) {
  std::string text;
  for (const std::string &name : names)
    text.append(&name == names.data() ? "" : between).append(name);
  return text;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string> &known) {
  const std::string near = nearest_name(name.substr(0, 64), known);
  return near.empty() ? "" : "; did you mean " + quoted(near) + "?";
}

std::string suggestion(std::string_view name, const std::vector<std::string> &known) {
  const std::string near = did_you_mean(name, known);
  return near.empty() ? " (expected one of: " + joined(known) + ")" : near;
}

std::string unknown_name(std::string_view noun, std::string_view name, const std::vector<std::string> &known) {
  return "unknown " + std::string(noun) + " " + quoted(name) + did_you_mean(name, known) +
         (known.empty() ? " (there are none)" : " (there are: " + joined(known) + ")");
}

} // namespace normforge
