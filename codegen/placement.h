// Which nest computes what: reductions over the same axes that feed each other share a nest; one that needs the result of a reduction over
// other axes goes to a later nest. An output is written by the nest of its last reduction where that can, else by a pointwise nest at the
// end.
#pragma once

#include <span>
#include <vector>

#include "dsl/program.h"

namespace normforge {

struct PlacedNest {
  int level;        ///< how many nests must have ended before it; the pointwise nest has the highest
  AxisSet over;     ///< the axes that it reduces
  AxisSet axes = 0; ///< of the reductions' results, and of what the pointwise nest writes
  bool used = true; ///< something needs it
};

struct Placement {
  std::vector<PlacedNest> nests; ///< in the order in which they run
  std::vector<char> live;        ///< by node: an output needs it
  std::vector<int> nest_of;      ///< by node that removes axes: the nest that does so
  std::vector<int> output_nest;  ///< by output of the program
};

/// Whether a node belongs to the nest over the axes that it removes, and is a temporary for every other nest. A pivot (`first`) does as
/// reductions do: read again by a later nest, it might already have been overwritten in place.
bool removes_axes(Op);

/// The operands of a node that are there.
std::span<const NodeId> operands(const Node &);

Placement place(const Program &);

} // namespace normforge
