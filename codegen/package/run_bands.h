// Ranges of the length of rows that have a numerics half each. Few lanes, which make short rows fast, make long ones slow, and which
// numerics half a row has may depend on the extents that are reduced, though on nothing else of a shape. So a problem whose rows' length
// is open comes in parts, one for each band that it reaches into.
//
// Norms have bands where they reduce the contiguous axis and no other. None where lengths of rows vary: a row's bits do not depend on how
// far it is padded.
#pragma once

#include <optional>
#include <vector>

#include "codegen/target.h"
#include "dsl/problem.h"

namespace normforge {

struct RunBands {
  int axis = -1;             ///< of the norm, along which rows run; -1: there is a single band, of every length
  std::vector<Extent> bands; ///< shortest first

  /// The part of a problem whose rows lie in a band; nullopt: none do.
  std::optional<Problem> part(const Problem &problem, const Extent &band) const;
};

/// Of the function that serves `problem`, on `target`.
RunBands run_bands(const Problem &problem, const Target &target);

/// All parts of all problems.
std::vector<Problem> in_bands(const std::vector<Problem> &problems, const Target &target);

/// What shares one numerics half on `target`: the function that serves `problem`, with rows in the band of `problem`'s. All of the function
/// where those lie in several.
Problem band_of(const Problem &problem, const Target &target);

} // namespace normforge
