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

std::vector<NestStep> steps_of(const SweepPlan &plan, const NestShape &shape, const NestMapping &mapping,
                               const std::optional<RowRecord> &record) {
  if (!record)
    return {{NestStep::whole, 0, shape.items, shape.item_bytes}};
  nf_count parts = shape.items;
  parts.times = mapping.split;
  const int64_t part_bytes = shape.item_bytes / mapping.split;
  std::vector<NestStep> steps;
  if (!pivots_of(plan, shape).empty())
    steps.push_back({NestStep::pivots, 0, shape.items, record->bytes});
  bool writes = !shape.nest.row_writes.empty();
  for (size_t sweep = 0; sweep < shape.nest.sweeps.size(); ++sweep) {
    writes |= !shape.nest.sweeps[sweep].row_writes.empty();
    if (!shape.nest.sweeps[sweep].moments.empty())
      continue; // part of the step of the sweep before it
    steps.push_back({NestStep::sweep, sweep, parts, part_bytes});
    if (!shape.nest.sweeps[sweep].reductions.empty())
      steps.push_back({NestStep::merge, sweep, shape.items, record->bytes});
  }
  if (writes)
    steps.push_back({NestStep::row_writes, 0, shape.items, record->bytes});
  return steps;
}

} // namespace normforge::nest
