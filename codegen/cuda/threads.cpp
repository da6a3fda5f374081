#include "codegen/cuda/threads.h"

#include <algorithm>
#include <bit>

#include "codegen/nest/reduce_tree.h"
#include "codegen/nest/split.h"

namespace normforge::cuda {

int narrowest_bytes(const SweepPlan &plan) {
  const Program &program = plan.program();
  int narrowest = 8;
  for (size_t t = 0; t < program.tensors.size(); ++t)
    if (plan.vector_axis() >= 0 && plan.specialized.dtypes[t] && (program.axes_of(program.tensors[t]) & axis_bit(plan.vector_axis())))
      narrowest = std::min(narrowest, info(*plan.specialized.dtypes[t]).bytes);
  return narrowest;
}

int vector_elements(const SweepPlan &plan, int vector) { return std::max(1, vector / narrowest_bytes(plan)); }

int64_t most_elements(const SweepPlan &plan) { return (int64_t(1) << 40) / narrowest_bytes(plan); }

bool unrolls(const nest::NestShape &shape, const nest::Residency &residency) { return residency.slots > 0 && !shape.ragged_reduction; }

nest::NestMapping nest_mapping(const SweepPlan &plan, const CudaMapping &mapping) {
  return {.rows = 1,
          .unroll = mapping.unroll,
          .vector = 0,
          .tile = mapping.threads * vector_elements(plan, mapping.vector),
          .share = mapping.threads * mapping.cluster * vector_elements(plan, mapping.vector),
          .keep = mapping.keep == Keep::reread ? nest::Keep::reread : nest::Keep::registers,
          .stream = false,
          .prefetch = 0,
          .split = mapping.split};
}

Threads threads_of(const SweepPlan &plan, const nest::NestShape &shape, const CudaMapping &mapping) {
  Threads threads;
  threads.rows = mapping.rows;
  threads.order = shape.lanes;
  threads.cluster = shape.inner && mapping.threads * mapping.cluster <= shape.lanes ? mapping.cluster : 1;
  threads.count = std::min(mapping.threads * threads.cluster, shape.lanes);
  if (shape.width % threads.count)
    threads.count = int(std::bit_floor(unsigned(threads.count)));
  threads.vector = std::min(vector_elements(plan, mapping.vector), shape.width / threads.count);
  threads.groups = shape.width / threads.stride();
  return threads;
}

std::optional<nest::NestShape> widest_rows(const SweepPlan &plan, const Numerics &numerics, const CudaMapping &mapping) {
  std::optional<nest::NestShape> widest;
  for (const Nest &nest : plan.nests)
    if (!nest::is_outer(nest))
      if (nest::NestShape shape = nest::shape_of(plan, nest, numerics, nest_mapping(plan, mapping)); !widest || shape.lanes > widest->lanes)
        widest = std::move(shape);
  return widest;
}

int row_lanes(const SweepPlan &plan, const Numerics &numerics, const CudaMapping &mapping) {
  const auto widest = widest_rows(plan, numerics, mapping);
  return widest ? widest->lanes : numerics.lanes;
}

int64_t most_points(const SweepPlan &plan, const nest::NestShape &shape, const Numerics &numerics, int split) {
  const int64_t all = most_elements(plan);
  if (split == 1 || nest::unsplittable(plan, shape, numerics))
    return all;
  const int64_t chunks = nest::most_chunks(plan, shape, numerics, all);
  return std::min(all, numerics.chunk * int64_t(std::bit_ceil(uint64_t((chunks + split - 1) / split))));
}

int64_t tree_bytes(const SweepPlan &plan, const nest::NestShape &shape, const Numerics &numerics, const CudaMapping &mapping) {
  if (nest::chunk_shape(plan, shape, numerics) == nest::ChunkShape::one)
    return 0;
  size_t accumulators = 0;
  for (size_t sweep = 0; sweep < shape.nest.sweeps.size(); ++sweep)
    accumulators = std::max(accumulators, nest::accumulators_of(plan.program(), shape.nest, sweep, 1).size());
  const int64_t chunks = nest::most_chunks(plan, shape, numerics, most_points(plan, shape, numerics, mapping.split));
  const int64_t slots = nest::tree_slots(accumulators, std::max<int64_t>(chunks, mapping.split));
  const Threads threads = threads_of(plan, shape, mapping);
  return slots * std::bit_ceil(unsigned(threads.lanes())) * info(plan.specialized.compute).bytes * threads.of_block() * threads.rows;
}

} // namespace normforge::cuda
