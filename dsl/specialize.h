// From a Problem to the program that a backend lowers: through the `norm` dialect and its named rewrites.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/problem.h"

namespace normforge {

/// One axis of a specialised program: adjacent axes of the norm that are treated alike, collapsed. `parts` are axes of the norm, outermost
/// first.
struct CollapsedAxis {
  std::vector<int> parts;
  Extent extent; ///< the product's range
};

/// A program with absent inputs folded, unwanted outputs dropped, statistics centred on a pivot, averages as sums over counts, stored as
/// casts, and axes collapsed; its axes stand in memory order, outermost first. Tensors and scalars keep their index in the norm's program
/// (so that the ABI can name them), also those that are no longer read.
struct Specialized {
  Program program;
  std::vector<CollapsedAxis> axes; ///< by axis of `program`
  std::vector<std::optional<DType>> dtypes;
  std::vector<Layout> layouts;
  DType compute = DType::f32; ///< f64 when an input is f64
};

/// Called after each named pass with its name and the dialect's text: how `show --stage=norm --after=PASS` sees inside.
using PassTrace = std::function<void(std::string_view pass, std::string_view text)>;

Specialized specialize(const Problem &problem, const PassTrace &trace = {});

/// Names of the passes in the order in which specialize() runs them.
const std::vector<std::string> &specialize_passes();

} // namespace normforge
