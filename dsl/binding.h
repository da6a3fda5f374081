// Binding: from arrays as a person has them (shapes, and which axis is where in memory) to the extents of a norm's axes, and back to the
// shapes of its outputs.
//
// A tensor's array has one dimension per axis, any number per pack, and one for a split axis, in declared order or in the order that is
// said. Packs are found from other tensors (gamma's shape fixes cols) and from binds. Nothing is guessed: `x[rows..., cols...]` of three
// dimensions with no gamma is an error that says how to bind. Only where the array has as many dimensions as there are axes does each take
// one.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/norm.h"

namespace normforge {

struct ArrayShape {
  std::vector<int64_t> dims;      ///< outermost first, as the array lies in memory
  std::vector<std::string> order; ///< the axes in that order, a split by its own name; empty: as declared
};

struct Binding {
  NormRef norm;
  std::vector<std::vector<int64_t>> dims; ///< by axis: one, or a pack's list
  std::vector<int64_t> extents;           ///< by axis: the product of its dims
  std::vector<int> order;                 ///< all axes in memory order, outermost first; as Problem::order

  /// The shape of a tensor's array, in memory order.
  std::vector<int64_t> shape(int tensor) const;
};

/// "batch,space,channel" as ArrayShape::order.
std::vector<std::string> parse_axis_order(std::string_view text);

/// Binds a norm's axes. `arrays` by tensor: every input that has no default, inout and lengths; optional inputs and outputs (a shape that
/// is wanted) where given. `binds` by axis or split: "8", or "10x10x32" for a pack. Throws UserError: a tensor that is unknown or missing,
/// a shape that does not fit (all that do not, a line each), axes that stay open, orders that contradict each other, extents past 63 bits.
Binding bind(NormRef norm, const std::map<std::string, ArrayShape> &arrays, const std::map<std::string, std::string> &binds);

} // namespace normforge
