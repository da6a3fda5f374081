// Who goes on from a search to its confirmation, and when that may end. A shape is won by little, and on another day by another one, so
// that several of each shape are measured afresh, at every shape: a schedule that serves many shapes well is worth more than the best of
// one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autotune/choose.h"

namespace normforge {

inline constexpr double kLeastSeconds = 0.2; ///< for a shape
inline constexpr double kSearchShare = 0.6;  ///< of a problem's time; the rest confirms
inline constexpr double kGain = 0.005;       ///< a log-ratio that makes a candidate worth confirming, or worth searching around

/// The fastest of a shape by what the search has seen, best first; the default, candidate 0, is one of them where nothing is faster.
/// `index_of` says which candidate a schedule is; below 0: none that counts.
std::vector<size_t> leaders(const ShapeResult &, const std::function<int(const std::string &schedule)> &index_of, size_t count);

/// The first of each shape, then the second of each, without the default: as many as can be confirmed. `leaders_of(shape)` are best first.
std::vector<size_t> finalists(size_t shapes, const std::function<std::vector<size_t>(size_t shape, size_t count)> &leaders_of);

/// Whether more samples would hardly change which schedule is the best at a shape.
bool decided(const ShapeResult &);

} // namespace normforge
