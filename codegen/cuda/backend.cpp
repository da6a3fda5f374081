#include "codegen/cuda/backend.h"

#include <algorithm>
#include <array>
#include <bit>
#include <ranges>

#include "llvm/Support/FormatVariadic.h"

#include "codegen/cuda/async_copy.h"
#include "codegen/cuda/fold.h"
#include "codegen/cuda/model.h"
#include "codegen/cuda/module.h"
#include "codegen/cuda/ptx.h"
#include "codegen/cuda/registers.h"
#include "codegen/hash.h"
#include "codegen/nest/pipeline.h"
#include "dsl/error.h"

namespace normforge::cuda {
namespace {

constexpr int kBusy = 1024;          ///< threads that keep a multiprocessor busy
constexpr int kClusters = 90;        ///< Target::level of the first GPUs that have them
constexpr int kUnrolledBlocks = 32;  ///< blocks of lanes whose code stands one after the other,
constexpr int kUnrolledPoints = 128; ///< and elements of one thread: code for more exceeds the instruction caches

/// "rows=4 or fewer"
std::string at_most(std::string_view knob, int value) { return llvm::formatv("{0}={1}{2}", knob, value, value > 1 ? " or fewer" : ""); }

/// The block: whole in size, and a barrier for each row that needs one.
std::optional<std::string> unfit_block(const CudaMapping &mapping) {
  if (mapping.threads * mapping.rows > kBlockThreads)
    return llvm::formatv("schedule: threads={0} rows={1}: a block has at most {2} threads; use {3}", mapping.threads, mapping.rows,
                         kBlockThreads, at_most("rows", kBlockThreads / mapping.threads))
        .str();
  if (mapping.threads > kWarp && mapping.rows > kNamedBarriers)
    return llvm::formatv("schedule: rows={0}: of rows of {1} threads a block has barriers for {2}; use rows={3} or fewer", mapping.rows,
                         mapping.threads, kNamedBarriers, std::bit_floor(unsigned(kNamedBarriers)))
        .str();
  return std::nullopt;
}

/// Blocks that share a row.
std::optional<std::string> unfit_cluster(const CudaMapping &mapping, const Target &target) {
  if (mapping.cluster == 1)
    return std::nullopt;
  if (target.level < kClusters)
    return llvm::formatv("schedule: cluster={0}: {1} has no clusters of blocks, which sm_90 and later have; use cluster=1", mapping.cluster,
                         target.name)
        .str();
  if (mapping.rows > 1)
    return llvm::formatv("schedule: cluster={0} rows={1}: blocks that share a row have no other; use rows=1", mapping.cluster, mapping.rows)
        .str();
  if (mapping.threads < kWarp)
    return llvm::formatv("schedule: cluster={0} threads={1}: a row's part of a block is whole warps; use {2} threads or more",
                         mapping.cluster, mapping.threads, kWarp)
        .str();
  return std::nullopt;
}

/// What rows meet in, leave until it merges and keep has room in a block's shared memory.
std::optional<std::string> unfit_shared(const SweepPlan &plan, const nest::NestShape &shape, const nest::Residency &residency,
                                        const Numerics &numerics, const CudaMapping &mapping, const Target &target) {
  const Threads threads = threads_of(plan, shape, mapping);
  const int64_t folds = 2 * fold_bytes(plan, shape, threads, numerics.fold_high) * mapping.rows;
  if (folds > target.shared_bytes)
    return llvm::formatv(
               "schedule: threads={0} rows={1}: they meet in {2} bytes of shared memory, of which a block has {3}; use fewer threads "
               "or rows, or fold=low",
               mapping.threads, mapping.rows, folds, target.shared_bytes)
        .str();
  const int64_t trees = unrolls(shape, residency) ? 0 : tree_bytes(plan, shape, numerics, mapping);
  if (folds + trees > target.shared_bytes)
    return llvm::formatv("schedule: threads={0} rows={1} vector={2}: the sums of chunks take {3} bytes of shared memory, of which a block "
                         "has {4}; use fewer lanes, a longer chunk or a narrower vector",
                         mapping.threads, mapping.rows, mapping.vector, trees, target.shared_bytes - folds)
        .str();
  const int64_t copies = staging_of(plan, shape, threads, mapping).bytes() * mapping.rows;
  if (folds + trees + copies > target.shared_bytes)
    return llvm::formatv(
               "schedule: stages={0} rows={1}: the rows that are copied ahead take {2} bytes of shared memory, of which a block has "
               "{3}; use fewer of either",
               mapping.stages, mapping.rows, copies, target.shared_bytes - folds - trees)
        .str();
  const int64_t room = (target.shared_bytes - folds - trees - copies) / mapping.rows, kept = residency.row_bytes() / threads.cluster;
  if (mapping.keep == Keep::shared && kept > room)
    return llvm::formatv(
               "schedule: keep=shared: a row of {0} bytes exceeds {1} bytes, what a block has for each of rows={2}; use keep=reread{3}",
               kept, room, mapping.rows, mapping.rows > 1 ? " or fewer rows" : "")
        .str();
  return std::nullopt;
}

/// Blocks that a multiprocessor has shared memory for.
int64_t blocks_with_room(const SweepPlan &plan, const Numerics &numerics, const CudaMapping &mapping, const Target &target) {
  int64_t most = kBusy;
  for (const Nest &nest : plan.nests) {
    const nest::NestShape shape = nest::shape_of(plan, nest, numerics, nest_mapping(plan, mapping));
    const nest::Residency residency = nest::residency_of(plan, shape, nest_mapping(plan, mapping).keep);
    const Threads threads = threads_of(plan, shape, mapping);
    const int64_t row = 2 * fold_bytes(plan, shape, threads, numerics.fold_high) + staging_of(plan, shape, threads, mapping).bytes() +
                        (mapping.keep == Keep::shared ? residency.row_bytes() / threads.cluster : 0);
    const int64_t trees = unrolls(shape, residency) ? 0 : tree_bytes(plan, shape, numerics, mapping);
    most = std::min(most, (target.shared_bytes + kReservedShared) / (row * mapping.rows + trees + kReservedShared));
  }
  return most;
}

/// What is kept of a row needs fixed extents, few enough of them to unroll.
std::optional<std::string> unfit_kept(const SweepPlan &plan, const nest::NestShape &shape, const nest::Residency &residency,
                                      const CudaMapping &mapping) {
  const std::string_view word = mapping.keep == Keep::shared ? "shared" : "registers";
  const int64_t elements = nest::kept_elements(plan, shape);
  if (!elements)
    return llvm::formatv("schedule: keep={0}: the reduced extents are not fixed; use keep=reread", word).str();
  if (mapping.keep == Keep::registers && shape.ragged_reduction)
    return "schedule: keep=registers: lengths of rows vary; use keep=shared or keep=reread";
  if (elements / shape.width > kUnrolledBlocks)
    return llvm::formatv("schedule: keep={0}: a row has {1} blocks of {2} lanes, more than the {3} that are unrolled; use more lanes or "
                         "keep=reread",
                         word, elements / shape.width, shape.width, kUnrolledBlocks)
        .str();
  if (const int64_t points = elements / shape.width * threads_of(plan, shape, mapping).lanes(); points > kUnrolledPoints)
    return llvm::formatv(
               "schedule: keep={0} threads={1}: a thread has {2} elements of a row, more than the {3} that are unrolled; use more "
               "threads or keep=reread",
               word, mapping.threads, points, kUnrolledPoints)
        .str();
  return std::nullopt;
}

/// A block's threads have the registers that they want.
std::optional<std::string> unfit_registers(const SweepPlan &plan, const nest::NestShape &shape, const nest::Residency &residency,
                                           const CudaMapping &mapping) {
  const int wanted = registers_wanted(plan, shape, residency, mapping);
  if (wanted <= registers_allowed(mapping))
    return std::nullopt;
  CudaMapping fewer = mapping;
  while (fewer.blocks > 1 && wanted > registers_allowed(fewer))
    --fewer.blocks;
  std::string remedy = "use fewer threads or rows";
  if (wanted <= registers_allowed(fewer))
    remedy = llvm::formatv("use {0}", at_most("blocks", fewer.blocks));
  else if (mapping.keep == Keep::registers)
    remedy = "use keep=shared or keep=reread";
  else if (mapping.threads * mapping.rows <= kWarp)
    remedy = "use more threads, a narrower vector or less unroll";
  return llvm::formatv("schedule: keep={0} threads={1} rows={2} blocks={3}: a thread wants {4} registers, of which it may have {5}; {6}",
                       mapping_knobs()[kKeepKnob].words[size_t(mapping.keep)], mapping.threads, mapping.rows, mapping.blocks, wanted,
                       registers_allowed(mapping), remedy)
      .str();
}

} // namespace

std::span<const Knob> CudaBackend::knobs() const { return mapping_knobs(); }

std::span<const Extent> CudaBackend::run_bands() const { return cuda::run_bands(); }

Schedule CudaBackend::default_schedule(const SweepPlan &plan, const Target &target) const {
  const Numerics numerics = default_numerics(plan);
  return {numerics, mapping_under(plan, target, numerics, {})};
}

Mapping CudaBackend::mapping_under(const SweepPlan &plan, const Target &target, const Numerics &numerics,
                                   const MappingChoices &settled) const {
  Schedule schedule{numerics, {}};
  CudaMapping mapping = default_mapping(plan, numerics, settled);
  const auto applies = [&] {
    schedule.mapping = normforge::with_choices(write_mapping(mapping), settled);
    return !inapplicable(plan, schedule, target);
  };
  const auto nearest_with_room = [&] {
    return std::ranges::any_of(std::array{Keep::registers, Keep::shared, Keep::reread}, [&](Keep keep) {
      mapping.keep = keep;
      return applies();
    });
  };
  const int threads = mapping.threads;
  while (!nearest_with_room()) // fewer threads have more registers each
    if (mapping.threads /= 2; mapping.threads < kWarp || is_settled(settled, kThreadsKnob)) {
      mapping.threads = threads;
      break;
    }
  const int unroll = mapping.unroll;
  if (read_mapping(schedule.mapping).keep == Keep::reread) // a thread has two loads under way, if there are registers for them
    mapping.unroll = int(std::min<int64_t>(2 * unroll, knobs()[kUnrollKnob].values.back()));
  if (!applies())
    mapping.unroll = unroll;
  const int64_t most =
      std::min<int64_t>(kBusy / (mapping.threads * mapping.rows), blocks_with_room(plan, numerics, read_mapping(schedule.mapping), target));
  for (int64_t blocks : std::views::reverse(knobs()[kBlocksKnob].values)) { // as many as there is room for, and no more than are of use
    mapping.blocks = int(blocks);
    if (blocks <= most && applies())
      break;
    mapping.blocks = 1;
  }
  applies();
  return schedule.mapping;
}

std::optional<std::string> CudaBackend::inapplicable(const SweepPlan &plan, const Schedule &schedule, const Target &target) const {
  const Numerics &numerics = schedule.numerics;
  const CudaMapping mapping = read_mapping(schedule.mapping);
  if (numerics.algorithm == Numerics::chunked && !plan.has_moments())
    return "schedule: chunked: no sum of squares about a mean that nothing else waits for; use two_pass";
  if (auto reason = unfit_block(mapping))
    return reason;
  if (auto reason = unfit_cluster(mapping, target))
    return reason;
  if (auto reason = unfit_lanes(plan, numerics, mapping))
    return reason;
  if (mapping.stages > 1 && mapping.grid == Grid::whole)
    return llvm::formatv("schedule: stages={0}: a block of grid=whole has no next row; use grid=resident", mapping.stages).str();
  if (mapping.copy == Copy::bulk && mapping.stages == 1)
    return "schedule: copy=bulk: stages=1 copies no rows; use stages=2 or more with grid=resident, or copy=async";
  bool keeps = false, copies = false;
  for (const Nest &nest : plan.nests) {
    const nest::NestShape shape = nest::shape_of(plan, nest, numerics, nest_mapping(plan, mapping));
    if (auto reason = nest::unordered_length(plan, shape))
      return reason;
    const nest::Residency residency = nest::residency_of(plan, shape, nest_mapping(plan, mapping).keep);
    keeps |= residency.slots > 0;
    const Staging staging = staging_of(plan, shape, threads_of(plan, shape, mapping), mapping);
    copies |= !staging.tensors.empty();
    if (auto reason = unfit_bulk(plan, shape, staging, target))
      return reason;
    if (residency.slots)
      if (auto reason = unfit_kept(plan, shape, residency, mapping))
        return reason;
    if (auto reason = unfit_registers(plan, shape, residency, mapping))
      return reason;
    if (auto reason = unfit_shared(plan, shape, residency, numerics, mapping, target))
      return reason;
  }
  if (auto reason = nest::unfit_split(plan, numerics, nest_mapping(plan, mapping)))
    return reason;
  if (mapping.split > 1 && mapping.grid == Grid::resident)
    return llvm::formatv("schedule: split={0}: rows that are few have a block for each part; use grid=whole, or split=1", mapping.split)
        .str();
  if (mapping.split > 1 && mapping.cluster > 1)
    return llvm::formatv("schedule: split={0}: blocks of a cluster share whole rows; use cluster=1, or split=1", mapping.split).str();
  if (mapping.keep != Keep::reread && !keeps)
    return llvm::formatv("schedule: keep={0}: no sweep leaves what a later one needs; use keep=reread",
                         knobs()[kKeepKnob].words[size_t(mapping.keep)])
        .str();
  if (mapping.stages > 1 && !copies)
    return llvm::formatv("schedule: stages={0}: no rows of fixed extents that are read in 4 bytes or more at once; use stages=1",
                         mapping.stages)
        .str();
  return std::nullopt;
}

Kernel CudaBackend::compile(const SweepPlan &plan, const Schedule &schedule, const Target &target, const std::string &symbol,
                            StageText *text) const {
  KernelModule kernel = emit_module(*this, plan, schedule, target, symbol);
  llvm::LLVMContext context;
  kernel.facts.object = emit_ptx(*nest::translate(*kernel.module, context, text), target, text);
  kernel.facts.target = target.name;
  kernel.facts.code_hash = hash_of(kernel.facts.object);
  return kernel.facts;
}

} // namespace normforge::cuda
