#include "codegen/package/run_bands.h"

#include <algorithm>

#include "codegen/backend.h"
#include "codegen/package/function.h"

namespace normforge {

std::optional<Problem> RunBands::part(const Problem &problem, const Extent &band) const {
  if (axis < 0)
    return problem;
  Problem part = problem;
  Extent &rows = part.extents[size_t(axis)];
  rows = {std::max(rows.lo, band.lo), std::min(rows.hi, band.hi)};
  return rows.lo <= rows.hi ? std::optional(std::move(part)) : std::nullopt;
}

RunBands run_bands(const Problem &problem, const Target &target) {
  const std::span<const Extent> bands = backend_for(target).run_bands();
  const int axis = bands.empty() ? -1 : run_axis(make_sweep_plan(function_problem(problem)));
  if (axis < 0)
    return {-1, {Extent{}}};
  return {axis, {bands.begin(), bands.end()}};
}

std::vector<Problem> in_bands(const std::vector<Problem> &problems, const Target &target) {
  std::vector<Problem> parts;
  for (const Problem &problem : problems) {
    const RunBands rows = run_bands(problem, target);
    for (const Extent &band : rows.bands)
      if (std::optional<Problem> part = rows.part(problem, band))
        parts.push_back(std::move(*part));
  }
  return parts;
}

Problem band_of(const Problem &problem, const Target &target) {
  const Problem function = function_problem(problem);
  const RunBands rows = run_bands(problem, target);
  for (const Extent &band : rows.bands)
    if (rows.part(problem, band) == problem)
      return *rows.part(function, band);
  return function;
}

} // namespace normforge
