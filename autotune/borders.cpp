#include "autotune/borders.h"

#include <set>

#include "autotune/bands.h"

namespace normforge {

void measure_borders(const Database &known, const Question &question, const std::function<bool()> &late,
                     const std::function<void(const Problem &, size_t)> &measure) {
  std::set<std::string> tried; // what cannot be measured is not asked for again
  for (;;) {
    std::vector<Problem> borders = border_shapes(question, choose(known, question));
    std::erase_if(borders, [&](const Problem &shape) { return !tried.insert(to_text(shape)).second; });
    if (borders.empty())
      return;
    for (size_t i = 0; i < borders.size(); ++i) {
      if (late())
        return;
      measure(borders[i], borders.size() - i);
    }
  }
}

} // namespace normforge
