#include "codegen/nest/split.h"

#include <algorithm>
#include <bit>

#include "llvm/Support/FormatVariadic.h"

#include "codegen/nest/reduce_tree.h"
#include "dsl/error.h"

namespace normforge::nest {

std::optional<std::string> unsplittable(const SweepPlan &plan, const NestShape &shape, const Numerics &numerics) {
  const auto reduces = [](const Sweep &sweep) { return !sweep.reductions.empty(); };
  if (std::ranges::none_of(shape.nest.sweeps, reduces))
    return "nothing is reduced";
  if (shape.ragged_reduction)
    return "lengths of rows vary";
  if (chunk_shape(plan, shape, numerics) == ChunkShape::one)
    return "a row is a single chunk";
  return std::nullopt;
}

bool is_split(const SweepPlan &plan, const NestShape &shape, const Numerics &numerics, const NestMapping &mapping) {
  return mapping.split > 1 && !unsplittable(plan, shape, numerics);
}

std::optional<std::string> unfit_split(const SweepPlan &plan, const Numerics &numerics, const NestMapping &mapping) {
  if (mapping.split == 1)
    return std::nullopt;
  std::string whole;
  bool splits = false;
  for (const Nest &nest : plan.nests) {
    const auto reason = unsplittable(plan, shape_of(plan, nest, numerics, mapping), numerics);
    splits |= !reason;
    if (reason && whole.empty())
      whole = *reason;
  }
  if (!splits)
    return llvm::formatv("schedule: split={0}: {1}; use split=1", mapping.split, whole).str();
  if (mapping.keep != Keep::reread && mapping.keep != Keep::output)
    return llvm::formatv("schedule: split={0}: what is kept of a row does not outlast a sweep of its parts; use keep=reread, or split=1",
                         mapping.split)
        .str();
  if (plan.temporaries.size() + plan.nests.size() > NF_MAX_BUFFERS)
    return llvm::formatv("schedule: split={0}: wants {1} buffers, of which a kernel has {2}; use split=1", mapping.split,
                         plan.temporaries.size() + plan.nests.size(), int(NF_MAX_BUFFERS))
        .str();
  return std::nullopt;
}

std::vector<NodeId> pivots_of(const SweepPlan &plan, const NestShape &shape) {
  std::vector<NodeId> pivots = shape.nest.rows;
  std::erase_if(pivots, [&](NodeId id) { return plan.program().node(id).op != Op::first; });
  return pivots;
}

RowRecord row_record(const SweepPlan &plan, const NestShape &shape, const NestMapping &mapping, int buffer) {
  RowRecord record{.buffer = buffer, .known = pivots_of(plan, shape)};
  for (size_t s = 0; s < shape.nest.sweeps.size(); ++s) {
    const Sweep &sweep = shape.nest.sweeps[s];
    for (NodeId id : sweep.rows) // a pivot is picked from a tensor or from what another nest leaves
      internal_check(plan.program().node(id).op != Op::first);
    record.known.insert(record.known.end(), sweep.reductions.begin(), sweep.reductions.end());
    record.partials = std::max(record.partials, int64_t(accumulators_of(plan.program(), shape.nest, s, 1).size()));
  }
  record.all = int64_t(record.known.size()) + record.partials * mapping.split;
  record.bytes = record.all * int64_t(std::bit_ceil(unsigned(shape.width))) * info(plan.specialized.compute).bytes;
  return record;
}

std::optional<RowRecord> add_record(const SweepPlan &plan, const NestShape &shape, const Numerics &numerics, const NestMapping &mapping,
                                    std::vector<nf_buffer> &workspace) {
  if (!is_split(plan, shape, numerics, mapping))
    return std::nullopt;
  const RowRecord record = row_record(plan, shape, mapping, int(workspace.size()));
  workspace.push_back({shape.items, record.bytes});
  return record;
}

namespace {

bool writes_rows(const NestShape &shape) {
  return !shape.nest.row_writes.empty() ||
         std::ranges::any_of(shape.nest.sweeps, [](const Sweep &sweep) { return !sweep.row_writes.empty(); });
}

/// Whether a row's nodes read tensors, which may be the memory of its row outputs.
bool reads_rows(const SweepPlan &plan, const NestShape &shape) {
  const auto reads = [&](const std::vector<NodeId> &rows) {
    return std::ranges::any_of(rows, [&](NodeId id) { return plan.program().node(id).op == Op::tensor; });
  };
  return reads(shape.nest.rows) || std::ranges::any_of(shape.nest.sweeps, [&](const Sweep &sweep) { return reads(sweep.rows); });
}

} // namespace

std::vector<NestStep> steps_of(const SweepPlan &plan, const NestShape &shape, const NestMapping &mapping,
                               const std::optional<RowRecord> &record) {
  if (!record)
    return {{NestStep::whole, 0, shape.items, shape.item_bytes}};
  nf_count parts = shape.items;
  parts.times = mapping.split;
  const auto &sweeps = shape.nest.sweeps;
  const auto has_moments = [](const Sweep &sweep) { return !sweep.moments.empty(); }; // such are part of the step of the sweep before them
  const auto second = std::ranges::find_if_not(sweeps.begin() + 1, sweeps.end(), has_moments);
  const bool picks_first =
      !pivots_of(plan, shape).empty() && std::any_of(sweeps.begin(), second, [](const Sweep &sweep) { return !sweep.writes.empty(); });
  std::vector<NestStep> steps;
  const auto add = [&](NestStep::Kind kind, size_t index, bool picks) {
    const bool of_rows = kind != NestStep::sweep;
    steps.push_back({kind, index, of_rows ? shape.items : parts, of_rows ? record->bytes : shape.item_bytes / mapping.split, picks});
  };
  if (picks_first)
    add(NestStep::pivots, 0, true);
  for (size_t sweep = 0; sweep < sweeps.size(); ++sweep) {
    if (has_moments(sweeps[sweep]))
      continue;
    add(NestStep::sweep, sweep, sweep == 0 && !picks_first);
    if (!sweeps[sweep].reductions.empty())
      add(NestStep::merge, sweep, sweep == 0 && !picks_first);
  }
  if (writes_rows(shape)) {
    if (steps.back().kind != NestStep::merge && reads_rows(plan, shape))
      add(NestStep::row_writes, 0, false);
    const auto of_rows = [](const NestStep &step) { return step.kind != NestStep::sweep; };
    std::ranges::find_if(steps.rbegin(), steps.rend(), of_rows)->writes_rows = true;
  }
  return steps;
}

} // namespace normforge::nest
