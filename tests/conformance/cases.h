// What the conformance suite runs over: every norm of the catalogue at extents around every boundary that a kernel knows, in every mix of
// dtypes. Norms share a vocabulary of axis names, so one table of extents serves them all.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "codegen/backend.h"
#include "codegen/check/kernel_call.h"
#include "dsl/problem.h"

namespace normforge::testing {

/// Extents by axis name; `Shape::of` picks those that a norm has.
struct Shape {
  const char *label;
  int64_t rows, cols, batch, channel, space, group, sub, seq;
  std::vector<int64_t> of(const Norm &) const;
};
const std::vector<Shape> &shapes();

/// A mix of dtypes: of the first input, of other inputs, of full-size outputs.
struct Mix {
  const char *label;
  DType first, others, outputs;
  bool brief; ///< also part of the short run at every shape
};
const std::vector<Mix> &mixes();

/// A norm of the catalogue at extents in a mix.
struct CatalogueCase {
  NormRef norm;
  const Shape *shape;
  const Mix *mix;
};

/// Those that `brief` picks, told how many it has picked so far; all of them where NORMFORGE_LONG is set.
std::vector<CatalogueCase> catalogue_cases(const std::function<bool(const Shape &, const Mix &, size_t picked)> &brief);

/// The problem of a norm in a mix, with every optional input and output, extents open or fixed.
Problem problem_of(const NormRef &, const Mix &);
Problem fixed(Problem, const std::vector<int64_t> &extents);

/// With an output in the memory of the first input, where the library's calls may have it there.
Problem in_place(Problem);

/// What the reference says of a call, by tensor; nothing where a `require` does not hold (a failure of the running test if the norm has
/// none): the runtime refuses such a call before a kernel sees it.
std::optional<std::map<std::string, ReferenceArray>> expected(const Problem &, const std::vector<int64_t> &extents,
                                                              const ReferenceInputs &);

/// Every element of a call's outputs is within tolerance of the reference; a failure of the running test otherwise.
void expect_near(const Problem &, const KernelCall &, const std::map<std::string, ReferenceArray> &reference);

/// The targets of the x86 backend that this machine runs.
std::vector<const Target *> runnable_targets();

} // namespace normforge::testing
