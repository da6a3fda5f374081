#include "codegen/cuda/threads.h"

#include <algorithm>

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

nest::NestMapping nest_mapping(const SweepPlan &plan, const CudaMapping &mapping) {
  return {.rows = 1,
          .unroll = mapping.unroll,
          .vector = 0,
          .tile = mapping.threads * vector_elements(plan, mapping.vector),
          .keep = mapping.keep == Keep::reread ? nest::Keep::reread : nest::Keep::registers,
          .stream = false,
          .prefetch = 0,
          .split = 1};
}

Threads threads_of(const SweepPlan &plan, const nest::NestShape &shape, const CudaMapping &mapping) {
  Threads threads;
  threads.rows = mapping.rows;
  threads.count = std::min(mapping.threads, shape.width);
  threads.vector = std::min(vector_elements(plan, mapping.vector), shape.width / threads.count);
  threads.groups = shape.width / threads.stride();
  return threads;
}

} // namespace normforge::cuda
