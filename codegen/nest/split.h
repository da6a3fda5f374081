// Splitting rows: where rows are few and long, the chunks of a row are divided over several work items ("parts"), so that threads share it.
//
// A nest then becomes steps that run one after another. Each sweep is a step over rows x parts; its parts leave their partial results,
// lanes unfolded, in the workspace, and a step over rows merges them. No bit changes: of S parts, part p has the chunks [p * 2^k, (p + 1) *
// 2^k) with the smallest k that is enough, so each part but the last is a subtree of the row's binary counter (reduce_tree.h), and the
// parts' results merge in a counter of their own as those subtrees would. The last part may be shorter: what is stored of it merges from
// the right before it meets the others, which is the order of the unsplit row, too.
//
// An output may be the memory of an input. So pivots are read before anything is written: where the first sweep writes, in a step before
// it. Row outputs are written as soon as the last reduction has merged, unless what they may overwrite is read after that: then in a last
// step.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codegen/nest/mapping.h"
#include "codegen/nest/nest_shape.h"

namespace normforge::nest {

/// What one function does of a nest.
struct NestStep {
  enum Kind { whole, pivots, sweep, merge, row_writes } kind = whole;
  size_t index = 0; ///< sweep, merge: of the sweep
  nf_count items{};
  int64_t item_bytes = 0;
  bool picks = false;       ///< reads pivots itself, which no step before it has left in the record
  bool writes_rows = false; ///< row outputs
};

/// What a row (a kept index, or a tile) keeps in the workspace from step to step, in vectors of NestShape::width elements: what is known of
/// it, then the partial results of the sweep that is under way.
struct RowRecord {
  int buffer = 0;            ///< in the kernel's workspace
  std::vector<NodeId> known; ///< vector i holds known[i]: pivots, then reductions
  int64_t partials = 0;      ///< vectors of one part: one per accumulator of the sweep that has most
  int64_t all = 0;           ///< vectors
  int64_t bytes = 0;         ///< of all; a vector takes as many as a power of two
};

/// Why the rows of a nest are not split, or nullopt when they can be.
std::optional<std::string> unsplittable(const SweepPlan &, const NestShape &, const Numerics &);

/// Whether `mapping` splits the rows of a nest.
bool is_split(const SweepPlan &, const NestShape &, const Numerics &, const NestMapping &);

/// Why a schedule that splits rows cannot, or splits none; nullopt when it can.
std::optional<std::string> unfit_split(const SweepPlan &, const Numerics &, const NestMapping &);

/// Pivots of a nest, which are known before its first sweep.
std::vector<NodeId> pivots_of(const SweepPlan &, const NestShape &);

RowRecord row_record(const SweepPlan &, const NestShape &, const NestMapping &, int buffer);

/// The record of a nest whose rows are split, its buffer added to a kernel's workspace; nullopt where rows stay whole.
std::optional<RowRecord> add_record(const SweepPlan &, const NestShape &, const Numerics &, const NestMapping &,
                                    std::vector<nf_buffer> &workspace);

/// The steps of a nest, one function each; `record` where its rows are split.
std::vector<NestStep> steps_of(const SweepPlan &, const NestShape &, const NestMapping &, const std::optional<RowRecord> &record);

} // namespace normforge::nest
