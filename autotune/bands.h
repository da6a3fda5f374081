// From the standings at each shape to what a library is told: the fewest bands of the ladder such that one schedule serves each, within
// kWithin of the best at every shape in it, and slower than the default at none.
#pragma once

#include <string>
#include <vector>

#include "autotune/choose.h"

namespace normforge {

/// The numerics half of a schedule's canonical text.
std::string numerics_half(const std::string &schedule);

/// Bands that cover the question's problem, with schedules of one numerics half: the default's, unless another one is faster by a hundredth
/// at each shape on average. Shapes stand smallest first; one band with the default where there is none.
std::vector<Band> make_bands(const Question &, const std::vector<ShapeResult> &);

/// Shapes half way, on the ladder's scale, between neighbours that different bands serve: where one band ends and the next begins is a
/// guess until they are measured. None between neighbours less than twice as large.
std::vector<Problem> border_shapes(const Question &, const Answer &);

} // namespace normforge
