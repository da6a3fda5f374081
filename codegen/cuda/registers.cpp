#include "codegen/cuda/registers.h"

#include <algorithm>
#include <set>

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
constexpr int kOpenAxis = 8;       ///< of a reduced axis or a tile's: an extent and strides
constexpr int kUnrolledAxis = 6;   ///< where a row has several of those: for each unrolled step but the first
constexpr int kLength = 12;        ///< of rows whose lengths vary
constexpr int64_t kUnpacked = 8;   ///< elements that have been converted
constexpr int64_t kUnderWay = 32;  ///< what loads have begun at a time, unless one vector of each tensor is more
constexpr int64_t kAheadOf = 96;   ///< and for each unrolled step where transcendental functions follow, ahead of which all begin
constexpr int kEnd = 8;            ///< of rows that may end between vectors: where, and whether
constexpr int kElement = 3;        ///< of each lane where they may end within one
constexpr int kThere = 1;          ///< of each lane of a row whose length varies: whether it is within
constexpr int kStore = 8;          ///< of a second output that may end within a block of lanes
constexpr int kRoot = 4;           ///< that is divided by: both round correctly
constexpr int kByte = 28;          ///< of elements of one byte, which are put together
constexpr int kDivision = 4;       ///< that rounds correctly
constexpr int kTranscendental = 2; ///< for each lane: what passes through polynomials while other tensors' elements wait

/// Whether a row, or the columns, may end within a block of lanes,
bool has_remainder(const SweepPlan &plan, const nest::NestShape &shape, int block) {
  if (shape.vector_axis < 0)
    return false;
  const Extent &extent = plan.specialized.axes[size_t(shape.vector_axis)].extent;
  return !extent.fixed() || extent.lo % block != 0;
}

/// Whether a node is an element of a tensor that lies along the vector axis.
bool is_along(const SweepPlan &plan, const nest::NestShape &shape, NodeId id) {
  const Node &node = plan.program().node(id);
  return node.op == Op::tensor && shape.vector_axis >= 0 && (node.axes & axis_bit(shape.vector_axis));
}

/// The tensors that a sweep reads or writes for each point.
std::vector<int> moved_tensors(const SweepPlan &plan, const nest::NestShape &shape, const Sweep &sweep, const std::vector<NodeId> &points) {
  std::vector<int> tensors;
  for (NodeId id : points)
    if (is_along(plan, shape, id))
      tensors.push_back(plan.program().node(id).symbol);
  for (const Write &write : sweep.writes)
    tensors.push_back(write.tensor);
  return tensors;
}

/// Of an element, or of a value that goes from one kernel to the next.
int bytes_of(const SweepPlan &plan, int tensor) {
  return size_t(tensor) < plan.program().tensors.size() ? info(*plan.specialized.dtypes[size_t(tensor)]).bytes
                                                        : info(plan.specialized.compute).bytes;
}

/// The part of a row's blocks of lanes that threads have elements of: past its end they have no more groups.
double reached(const SweepPlan &plan, const nest::NestShape &shape, const Threads &threads) {
  const Extent extent = shape.vector_axis < 0 ? Extent{1, 1} : plan.specialized.axes[size_t(shape.vector_axis)].extent;
  if (!extent.fixed())
    return 1;
  const auto padded = [&](int64_t to) { return (extent.lo + to - 1) / to * to; };
  return double(padded(threads.stride())) / double(padded(shape.width));
}

/// One sweep of a nest, as a thread does it.
struct SweepAt {
  const SweepPlan &plan;
  const nest::NestShape &shape;
  size_t number;
  const std::vector<NodeId> &points;
  const CudaMapping &mapping;
  const Threads &threads;
  int64_t words; ///< of an element

  const Sweep &sweep() const { return shape.nest.sweeps[number]; }
  int64_t count(auto is) const { return std::ranges::count_if(points, is); }
  bool has(auto is) const {
    return count([&](NodeId id) { return is(plan.program().node(id).op); }) > 0;
  }
  bool is_transcendental() const {
    return has([](Op op) { return info(op).transcendental; });
  }
  int64_t reads() const {
    return count([&](NodeId id) { return plan.program().node(id).op == Op::tensor; });
  }

  /// What there is of each lane beside elements: whether it is within a row whose length varies or, where lanes are columns of a tile, the
  /// values of the column that points read.
  int64_t of_lanes() const {
    if (shape.inner)
      return shape.ragged_reduction ? kThere * threads.lanes() : 0;
    std::set<NodeId> values;
    for (NodeId id : points)
      for (NodeId operand : plan.program().node(id).operands)
        if (operand >= 0 && (plan.program().node(operand).axes & axis_bit(shape.vector_axis)) &&
            std::ranges::find(points, operand) == points.end())
          values.insert(operand);
    return int64_t(values.size()) * threads.lanes() * words;
  }

  /// Of one access to each tensor, in each unrolled step. Narrow ones have a register each.
  int64_t accesses() const {
    int64_t registers = 0;
    for (int tensor : moved_tensors(plan, shape, sweep(), points))
      registers += (threads.vector * bytes_of(plan, tensor) + 3) / 4;
    return registers * mapping.unroll;
  }

  /// Elements on their way from memory and to it, and where they lie.
  int64_t moved() const {
    const int64_t lanes = threads.lanes(), writes = int64_t(sweep().writes.size()), all = accesses() * threads.groups;
    const int64_t loaded = std::min(all, std::max(accesses(), is_transcendental() ? kAheadOf * mapping.unroll : kUnderWay));
    if (!has_remainder(plan, shape, shape.width))
      return loaded;
    const int64_t more_stores = kStore * std::max<int64_t>(0, writes - 1);
    if (!has_remainder(plan, shape, shape.inner ? threads.vector : shape.width)) // vectors are there or not
      return std::max(loaded, lanes * reads() * words + kEnd) + more_stores;
    const int64_t along = count([&](NodeId id) { return is_along(plan, shape, id); });
    if (!shape.inner) {
      const int where = plan.specialized.axes[size_t(shape.vector_axis)].extent.fixed() ? 1 : 2;
      return std::max(loaded, mapping.unroll * (lanes * (along * (words + where) + writes * (where + 1)) + (reads() - along) * words)) +
             more_stores;
    }
    const int64_t results = writes > 1 ? writes : 0; // one waits until the other is stored, and loads do not begin behind that
    return std::max(results ? all : loaded, lanes * ((reads() + results) * words + kElement)) + more_stores;
  }

  /// What arithmetic passes through beside them.
  int64_t arithmetic(bool unrolled) const {
    const bool bytes = std::ranges::any_of(sweep().writes, [&](const Write &write) { return bytes_of(plan, write.tensor) == 1; });
    return ((reads() > 1 || words > 1) && is_transcendental() ? kTranscendental * threads.lanes() * words : 0) +
           (has([](Op op) { return op == Op::div; }) ? kDivision : 0) + (bytes && unrolled ? kByte : 0);
  }
};

} // namespace

int64_t moved_bytes(const SweepPlan &plan, const nest::NestShape &shape, const Sweep &sweep, const std::vector<NodeId> &points) {
  int64_t bytes = 0;
  for (int tensor : moved_tensors(plan, shape, sweep, points))
    bytes += bytes_of(plan, tensor);
  return bytes;
}

int registers_wanted(const SweepPlan &plan, const nest::NestShape &shape, const nest::Residency &residency, const CudaMapping &mapping) {
  const Threads threads = threads_of(plan, shape, mapping);
  const int64_t words = info(plan.specialized.compute).bytes / 4;
  const bool kept_in_registers = mapping.keep == Keep::registers && residency.slots > 0;
  int64_t addresses = kAddresses * words + (mapping.grid == Grid::resident ? kNextRow : 0) + (mapping.stages > 1 ? kStage : 0) +
                      (kept_in_registers ? 0 : kLoops) + (shape.ragged_reduction ? kLength : 0);
  int64_t open = 0;
  for (int axis = 0; size_t(axis) < plan.specialized.axes.size(); ++axis)
    if (axis == shape.vector_axis || (shape.nest.reduced & axis_bit(axis)))
      open += !plan.specialized.axes[size_t(axis)].extent.fixed();
  addresses += open * kOpenAxis + (shape.inner && open > 1 ? kUnrolledAxis * (mapping.unroll - 1) : 0);
  addresses += std::ranges::any_of(shape.nodes, [&](NodeId id) { return plan.program().node(id).op == Op::sqrt; }) ? kRoot : 0;
  // What a chunk's sums leave for its squares about their mean stays in registers even on its way to shared memory.
  const bool passes_on = std::ranges::any_of(shape.nest.sweeps, [](const Sweep &sweep) { return !sweep.moments.empty(); });
  const int64_t kept = kept_in_registers || (passes_on && unrolls(shape, residency))
                           ? int64_t(double(residency.row_bytes() / 4 / threads.count) * reached(plan, shape, threads))
                           : 0;
  int64_t most = 0;
  for (size_t s = 0; s < shape.nest.sweeps.size(); ++s) {
    const SweepAt sweep{plan, shape, s, residency.points[s], mapping, threads, words};
    const int64_t sums = int64_t(nest::accumulators_of(plan.program(), shape.nest, s, 1).size()) * threads.lanes() * words;
    const bool merges = s + 1 < shape.nest.sweeps.size() && !shape.nest.sweeps[s + 1].moments.empty();
    most = std::max(most, sweep.of_lanes() + sweep.moved() + sweep.arithmetic(unrolls(shape, residency)) +
                              (merges ? kMoments * words + sums : 0) +
                              std::max({sums, threads.lanes() * words, kUnpacked})); // at least one value of each lane is unpacked
    if (mapping.split > 1)
      most = std::max(most, nest::tree_slots(size_t(sums), mapping.split) + sums); // the parts' results, until they have merged
  }
  return int(std::min<int64_t>(1 << 20, addresses + kept + most));
}

int registers_allowed(const CudaMapping &mapping) {
  const int warps = (mapping.threads * mapping.rows + kWarp - 1) / kWarp * mapping.blocks;
  return std::min(kMost, kPartFile / ((warps + kParts - 1) / kParts * kWarp) / kUnit * kUnit);
}

} // namespace normforge::cuda
