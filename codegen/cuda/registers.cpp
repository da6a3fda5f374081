#include "codegen/cuda/registers.h"

#include <algorithm>

#include "codegen/nest/reduce_tree.h"

namespace normforge::cuda {
namespace {

constexpr int kFile = 64 << 10; ///< registers of a multiprocessor
constexpr int kUnit = 8;        ///< a thread has a multiple of these,
constexpr int kMost = 255;      ///< and no more than these
constexpr int kAddresses = 20;  ///< indexes, addresses, results of reductions, what arithmetic passes through; measured with CUDA 13
constexpr int kNextRow = 12;    ///< of a persistent grid: where the next row is, and what is the same for all
constexpr int kMoments = 16;    ///< of statistics that merge by chunks: both sides of a merge
constexpr int kStage = 12;      ///< of rows that are copied ahead: where to, and where from
constexpr int kOpenAxis = 10;   ///< an extent and strides

} // namespace

int64_t moved_bytes(const SweepPlan &plan, const nest::NestShape &shape, const Sweep &sweep, const std::vector<NodeId> &points) {
  const Program &program = plan.program();
  const auto bytes_of = [&](int tensor) -> int64_t {
    return size_t(tensor) < program.tensors.size() ? info(*plan.specialized.dtypes[size_t(tensor)]).bytes
                                                   : info(plan.specialized.compute).bytes;
  };
  int64_t bytes = 0;
  for (NodeId id : points)
    if (program.node(id).op == Op::tensor && shape.vector_axis >= 0 && (program.node(id).axes & axis_bit(shape.vector_axis)))
      bytes += bytes_of(program.node(id).symbol);
  for (const Write &write : sweep.writes)
    bytes += bytes_of(write.tensor);
  return bytes;
}

int registers_wanted(const SweepPlan &plan, const nest::NestShape &shape, const nest::Residency &residency, const CudaMapping &mapping) {
  const Threads threads = threads_of(plan, shape, mapping);
  const int64_t words = info(plan.specialized.compute).bytes / 4;
  int64_t addresses = kAddresses + (mapping.grid == Grid::resident ? kNextRow : 0) + (mapping.stages > 1 ? kStage : 0);
  for (const CollapsedAxis &axis : plan.specialized.axes)
    addresses += axis.extent.fixed() ? 0 : kOpenAxis;
  const int64_t kept = mapping.keep == Keep::registers ? residency.row_bytes() / 4 / threads.count : 0;
  int64_t most = 0;
  for (size_t s = 0; s < shape.nest.sweeps.size(); ++s) {
    const Sweep &sweep = shape.nest.sweeps[s];
    const int64_t moved = moved_bytes(plan, shape, sweep, residency.points[s]) * mapping.unroll * threads.lanes() / 4;
    const int64_t sums = int64_t(nest::accumulators_of(plan.program(), shape.nest, s, 1).size()) * threads.lanes() * words;
    const bool merges = s + 1 < shape.nest.sweeps.size() && !shape.nest.sweeps[s + 1].moments.empty();
    most = std::max(most, moved + (merges ? kMoments + sums : 0) +
                              std::max(sums, threads.lanes() * words)); // at least one value of each lane is unpacked
    if (mapping.split > 1)
      most = std::max(most, nest::tree_slots(size_t(sums), mapping.split) + sums); // the parts' results, until they have merged
  }
  return int(std::min<int64_t>(1 << 20, addresses + kept + most));
}

int registers_allowed(const CudaMapping &mapping) {
  return std::min(kMost, kFile / (mapping.threads * mapping.rows * mapping.blocks) / kUnit * kUnit);
}

} // namespace normforge::cuda
