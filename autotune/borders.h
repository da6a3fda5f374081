// Where one band of a problem's range ends and the next begins: a guess until it is measured.
#pragma once

#include <functional>

#include "autotune/choose.h"

namespace normforge {

/// Has shapes measured half way between neighbours that different bands serve, and then between those that do so now, until neighbours are
/// less than twice as large as each other, or late() says so. `measure` leaves what came of a shape in `known`; it is told how many are
/// left to be measured before the bands are looked at again, that one included.
void measure_borders(const Database &known, const Question &, const std::function<bool()> &late,
                     const std::function<void(const Problem &shape, size_t left)> &measure);

} // namespace normforge
