#include "codegen/cuda/registers.h"

#include <algorithm>

#include "codegen/nest/reduce_tree.h"

namespace normforge::cuda {
namespace {

constexpr int kUnit = 8;   ///< a thread has a multiple of these,
constexpr int kMost = 255; ///< and no more than these

// Measured with CUDA 13, over the catalogue (tests/cuda/defaults_test.cpp says how near they come).
constexpr int kAddresses = 12;     ///< indexes, addresses, results of reductions, what arithmetic passes through,
constexpr int kLoops = 12;         ///< and of rows that are not unrolled: where each tensor is, and how far
constexpr int kNextRow = 12;       ///< of a persistent grid: where the next row is, and what is the same for all
constexpr int kMoments = 20;       ///< of statistics that merge by chunks: both sides of a merge
constexpr int kStage = 12;         ///< of rows that are copied ahead: where to, and where from
constexpr int kOpenAxis = 10;      ///< of a reduced axis or a tile's: an extent and strides
constexpr int kLength = 12;        ///< of rows whose lengths vary
constexpr int64_t kUnpacked = 8;   ///< elements that have been converted,
constexpr int kElement = 3;        ///< of each lane that may be past the end of a row: where it is, and whether,
constexpr int kStore = 8;          ///< of a second output that may end within a block of lanes,
constexpr int kRoot = 4;           ///< that is divided by: both round correctly,
constexpr int kByte = 28;          ///< of elements of one byte, which are put together,
constexpr int kDivision = 4;       ///< that rounds correctly,
constexpr int kTranscendental = 2; ///< for each lane: what passes through polynomials while other tensors' elements wait

/// Whether a row, or the columns, may end within a block of lanes,
bool has_remainder(const SweepPlan &plan, const nest::NestShape &shape, int block) {
  if (shape.vector_axis < 0)
    return false;
  const Extent &extent = plan.specialized.axes[size_t(shape.vector_axis)].extent;
  return !extent.fixed() || extent.lo % block != 0;
}

/// The part of a row's blocks of lanes that threads have elements of: past its end they have no more groups.
double reached(const SweepPlan &plan, const nest::NestShape &shape, const Threads &threads) {
  const Extent extent = shape.vector_axis < 0 ? Extent{1, 1} : plan.specialized.axes[size_t(shape.vector_axis)].extent;
  if (!extent.fixed())
    return 1;
  const auto padded = [&](int64_t to) { return (extent.lo + to - 1) / to * to; };
  return double(padded(threads.stride())) / double(padded(shape.width));
}

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
  const Program &program = plan.program();
  const Threads threads = threads_of(plan, shape, mapping);
  const int64_t words = info(plan.specialized.compute).bytes / 4;
  const bool kept_in_registers = mapping.keep == Keep::registers && residency.slots > 0;
  int64_t addresses = kAddresses * (unrolls(shape, residency) ? words : 1) + (mapping.grid == Grid::resident ? kNextRow : 0) +
                      (mapping.stages > 1 ? kStage : 0) + (kept_in_registers ? 0 : kLoops) + (shape.ragged_reduction ? kLength : 0);
  for (int axis = 0; size_t(axis) < plan.specialized.axes.size(); ++axis)
    if (axis == shape.vector_axis || (shape.nest.reduced & axis_bit(axis)))
      addresses += plan.specialized.axes[size_t(axis)].extent.fixed() ? 0 : kOpenAxis;
  addresses += std::ranges::any_of(shape.nodes, [&](NodeId id) { return program.node(id).op == Op::sqrt; }) ? kRoot : 0;
  // What a chunk's sums leave for its squares about their mean stays in registers even on its way to shared memory.
  const bool passes_on = std::ranges::any_of(shape.nest.sweeps, [](const Sweep &sweep) { return !sweep.moments.empty(); });
  const int64_t kept = kept_in_registers || (passes_on && unrolls(shape, residency))
                           ? int64_t(double(residency.row_bytes() / 4 / threads.count) * reached(plan, shape, threads))
                           : 0;
  const bool remainder = has_remainder(plan, shape, shape.width);
  const bool by_elements = has_remainder(plan, shape, shape.inner ? threads.vector : shape.width); // each is there or not
  int64_t most = 0;
  for (size_t s = 0; s < shape.nest.sweeps.size(); ++s) {
    const Sweep &sweep = shape.nest.sweeps[s];
    const auto &points = residency.points[s];
    const auto reads = std::ranges::count_if(points, [&](NodeId id) { return program.node(id).op == Op::tensor; });
    const int64_t loaded = moved_bytes(plan, shape, sweep, points) * mapping.unroll * threads.lanes() / 4;
    const int64_t one_by_one = shape.inner ? threads.lanes() * (reads * words + kElement)
                                           : threads.lanes() * mapping.unroll * (reads * (words + 2) + 2 * int64_t(sweep.writes.size()));
    const int64_t more_stores = kStore * std::max<int64_t>(0, int64_t(sweep.writes.size()) - 1);
    const int64_t moved = by_elements ? std::max(loaded, one_by_one) + more_stores
                          : remainder ? loaded + std::min<int64_t>(loaded, kElement * threads.lanes()) + more_stores
                                      : loaded;
    const int64_t accumulators = int64_t(nest::accumulators_of(program, shape.nest, s, 1).size()),
                  sums = accumulators * threads.lanes() * words;
    const bool merges = s + 1 < shape.nest.sweeps.size() && !shape.nest.sweeps[s + 1].moments.empty();
    const auto has = [&](auto is) { return std::ranges::any_of(points, [&](NodeId id) { return is(program.node(id).op); }); };
    const bool bytes = std::ranges::any_of(sweep.writes, [&](const Write &write) {
      return size_t(write.tensor) < program.tensors.size() && info(*plan.specialized.dtypes[size_t(write.tensor)]).bytes == 1;
    });
    const int64_t arithmetic =
        ((reads > 1 || words > 1) && has([](Op op) { return info(op).transcendental; }) ? kTranscendental * threads.lanes() * words : 0) +
        (has([](Op op) { return op == Op::div; }) ? kDivision : 0) + (bytes && kept_in_registers ? kByte : 0);
    most = std::max(most, moved + arithmetic + (merges ? kMoments * words + sums : 0) +
                              std::max({sums, threads.lanes() * words, kUnpacked})); // at least one value of each lane is unpacked
    if (kept_in_registers && shape.inner && threads.count > kWarp)                   // the sums of all warps, when they meet
      most = std::max(most, accumulators * words * threads.groups * threads.count / kWarp);
    if (mapping.split > 1)
      most = std::max(most, nest::tree_slots(size_t(sums), mapping.split) + sums); // the parts' results, until they have merged
  }
  return int(std::min<int64_t>(1 << 20, addresses + kept * (words + 3) / 4 + most));
}

int registers_allowed(const CudaMapping &mapping) {
  const int warps = (mapping.threads * mapping.rows + kWarp - 1) / kWarp * mapping.blocks;
  return std::min(kMost, kPartFile / ((warps + kParts - 1) / kParts * kWarp) / kUnit * kUnit);
}

} // namespace normforge::cuda
