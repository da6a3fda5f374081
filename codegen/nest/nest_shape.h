// What a nest looks like to a vector machine: which axis lanes run along, in which order the others are looped over, what one work item is.
//
// The vector axis is the nest's innermost in memory order. Where it is reduced ("inner"), a work item is one kept index and lanes run along
// the reduced run; where it is kept ("outer"), a work item is a tile of the vector axis at one index of the other kept axes and each lane
// is a kept index of its own. A nest that reduces nothing has its innermost axis moved among the reduced ones: a sweep that only writes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codegen/nest/mapping.h"
#include "codegen/schedule.h"
#include "codegen/sweep_plan.h"
#include "runtime/abi.h"

namespace normforge::nest {

struct NestShape {
  Nest nest;                     ///< its sweeps that have moments run chunk by chunk with the one before them
  int number = 0;                ///< of the nest in the plan
  bool asks_at_points = false;   ///< point outputs may be null
  int vector_axis = -1;          ///< -1: the nest has no axes
  bool inner = true;             ///< the vector axis is reduced, or there is none
  std::vector<int> kept;         ///< outermost first, without the vector axis
  std::vector<int> reduced;      ///< outermost first
  std::vector<NodeId> nodes;     ///< all that it evaluates and the tensors that it reads, operands first
  bool ragged_reduction = false; ///< a reduced axis is bounded by a length
  bool ragged_kept = false;      ///< a kept axis is
  int lanes = 1;                 ///< that fold: Numerics::lanes, or the power of two of them that rows reach; or the tile
  int width = 1;                 ///< elements of a block: those lanes, or the first of them that rows reach, in whole shares of threads
  bool streams = false;          ///< a sweep that only writes uses streaming stores, in vectors that start on cache lines of the output
  nf_count items;
  int64_t item_bytes = 0; ///< at the smallest extents; 0: unknown
};

/// How the elements that a nest reduces make chunks (codegen/schedule.h), from what is known of the extents.
enum class ChunkShape {
  one,     ///< all elements are known to fit one chunk: nothing to merge
  pieces,  ///< a chunk ends with each piece of a run
  grouped, ///< several runs may share a chunk
};

ChunkShape chunk_shape(const SweepPlan &, const NestShape &, const Numerics &);

/// What the number of chunks of a row cannot exceed, where no tensor has more than `points` elements.
int64_t most_chunks(const SweepPlan &, const NestShape &, const Numerics &, int64_t points);

/// `nest` is one of the plan's own.
NestShape shape_of(const SweepPlan &, const Nest &nest, const Numerics &, const NestMapping &);

/// Why the axes of a nest cannot be looped over: a length must be known where the axis that it bounds is. nullopt when they can.
std::optional<std::string> unordered_length(const SweepPlan &, const NestShape &);

/// Whether `nest` reduces across its vector axis rather than along it.
bool is_outer(const Nest &nest);

/// The range of the number of elements over `axes`.
Extent extent_over(const SweepPlan &, AxisSet axes);

/// The norm's axes that the program's `axes` are made of: what nf_count speaks of.
uint64_t norm_axes(const SweepPlan &, AxisSet axes);

} // namespace normforge::nest
