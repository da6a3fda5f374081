// Which choices of a schedule made the difference at a shape: what was measured of schedules that differ in one of them.
#pragma once

#include <string>
#include <vector>

#include "autotune/choose.h"

namespace normforge {

/// "rows=2 instead of rows=1": the ratio of the times with and without, as a logarithm; below 0: the choice is faster.
struct Effect {
  std::string choice, instead;
  double log_ratio;
};

/// For each choice of `schedule`, against each measured schedule that differs in it alone; the largest effects first.
std::vector<Effect> effects(const ShapeResult &, const std::string &schedule);

/// The words of a schedule's text that differ from another's: "rows=2 keep=scratch"; "default" where none does.
std::string difference(const std::string &schedule, const std::string &from);

} // namespace normforge
