// What a sweep leaves for later ones besides its reductions: values at points, in f32 (f64) in a row buffer on the stack. keep=reread
// leaves nothing, later sweeps read and compute again; keep=scratch leaves what takes an operation to make again (a centred value, a
// converted bf16, an exponential); keep=registers leaves all that is used again and unrolls the sweeps, so that the buffer becomes
// registers; keep=output leaves it where an output of the same type will be written once nothing wants it any more, which takes no buffer,
// whatever the extents are; but no input that may lie there is read again.
#pragma once

#include <algorithm>

#include "codegen/nest/mapping.h"
#include "codegen/nest/nest_shape.h"

namespace normforge::nest {

struct Residency {
  std::vector<std::vector<NodeId>> points; ///< by sweep: the nodes that it evaluates at each point, operands first
  std::vector<std::vector<NodeId>> leaves; ///< by sweep: those of them that it leaves to later ones
  std::vector<int> slot;                   ///< by node: where in the buffer; -1: not there
  std::vector<int> output;                 ///< by node: the tensor that holds it meanwhile; -1: none
  int slots = 0;                           ///< values per point that the buffer holds at a time
  int64_t slot_bytes = 0;                  ///< of one value for all points of a row or tile
  int64_t row_bytes() const { return slots * slot_bytes; }
  bool keeps() const {
    return std::ranges::any_of(leaves, [](const auto &left) { return !left.empty(); });
  }
};

Residency residency_of(const SweepPlan &, const NestShape &, Keep);

/// Simple operations at a point, in all sweeps together.
int operations(const SweepPlan &, const Residency &);

/// Elements of the buffer for one kept value: the reduced extents, each run padded to what vectors reach. 0 where they are not fixed.
int64_t kept_elements(const SweepPlan &, const NestShape &);

/// A run of `extent` elements along the vector axis, padded.
int64_t padded_run(const NestShape &, int64_t extent);

/// The most that row buffers may take of a thread's stack.
constexpr int64_t kStackBytes = 256 << 10;

} // namespace normforge::nest
