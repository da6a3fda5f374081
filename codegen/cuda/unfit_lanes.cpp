// Why threads cannot share the lanes of a row as a mapping says. Lanes are a power of two, and a row that goes over them several times has
// all of them; so it takes a power of two of threads. A row that goes over them once ends at some lane: threads of any number have equal
// shares of what it reaches, if these end before the lanes do. What folds in the place of the lanes behind them, fold.h says.
#include <algorithm>
#include <bit>

#include "llvm/Support/FormatVariadic.h"

#include "codegen/cuda/threads.h"

namespace normforge::cuda {
namespace {

/// Whether the mapping's threads divide the lanes of rows, each with whole vectors.
bool shares_lanes(const SweepPlan &plan, const Numerics &numerics, const CudaMapping &mapping) {
  const Threads threads = threads_of(plan, *widest_rows(plan, numerics, mapping), mapping);
  return numerics.chunk % numerics.lanes == 0 && threads.count == mapping.threads * mapping.cluster &&
         threads.vector == vector_elements(plan, mapping.vector);
}

std::optional<std::string> unfit_odd_threads(const SweepPlan &plan, const Numerics &numerics, const CudaMapping &mapping) {
  if (std::has_single_bit(unsigned(mapping.threads)) || shares_lanes(plan, numerics, mapping))
    return std::nullopt;
  const nest::NestShape shape = *widest_rows(plan, numerics, mapping);
  const int64_t run = shape.vector_axis < 0 ? 1 : plan.specialized.axes[size_t(shape.vector_axis)].extent.hi;
  CudaMapping fewer = mapping, narrower = mapping;
  fewer.threads = int(std::bit_floor(unsigned(mapping.threads)));
  while (fewer.threads > 1 && !shares_lanes(plan, numerics, fewer))
    fewer.threads /= 2;
  std::string remedies = llvm::formatv("threads={0}", fewer.threads);
  while (narrower.vector > narrowest_bytes(plan) && !shares_lanes(plan, numerics, narrower))
    narrower.vector /= 2;
  if (shares_lanes(plan, numerics, narrower))
    remedies += llvm::formatv(", or vector={0}", narrower.vector);
  Numerics more = numerics;
  more.lanes = int(std::bit_ceil(uint64_t(std::min<int64_t>(run, kMostLanes))));
  if (more.lanes > numerics.lanes && shares_lanes(plan, more, mapping))
    remedies += llvm::formatv(", or lanes={0}", more.lanes);
  const std::string reason = run > shape.lanes
                                 ? llvm::formatv("rows go over lanes={0} more than once, which they do not divide", shape.lanes).str()
                                 : llvm::formatv("rows of {0} elements leave them no equal shares of lanes={1}", run, shape.lanes).str();
  return llvm::formatv("schedule: threads={0} vector={1}: {2}; use {3}", mapping.threads, mapping.vector, reason, remedies).str();
}

} // namespace

std::optional<std::string> unfit_lanes(const SweepPlan &plan, const Numerics &numerics, const CudaMapping &mapping) {
  const int elements = vector_elements(plan, mapping.vector);
  if (numerics.chunk % numerics.lanes != 0)
    return llvm::formatv("schedule: chunk={0}: not a multiple of lanes={1}; use chunk={1} or longer", numerics.chunk, numerics.lanes).str();
  if (const int narrowest = narrowest_bytes(plan); mapping.vector < narrowest)
    return llvm::formatv("schedule: vector={0}: elements have {1} bytes; use vector={1} or wider", mapping.vector, narrowest).str();
  if (std::ranges::all_of(plan.nests, nest::is_outer))
    return mapping.cluster == 1
               ? std::nullopt
               : std::optional(
                     llvm::formatv("schedule: cluster={0}: no row runs along the contiguous axis; use cluster=1", mapping.cluster).str());
  const bool tiles = std::ranges::any_of(plan.nests, nest::is_outer);
  if (auto reason = tiles ? std::nullopt : unfit_odd_threads(plan, numerics, mapping))
    return reason;
  const int lanes = row_lanes(plan, numerics, mapping);
  const int threads = mapping.threads * mapping.cluster;
  if (threads > lanes)
    return llvm::formatv("schedule: threads={0} cluster={1}: more than lanes={2}; use fewer threads, or lanes={3}", mapping.threads,
                         mapping.cluster, lanes, std::bit_ceil(unsigned(threads)))
        .str();
  if (threads * elements > lanes)
    return llvm::formatv("schedule: vector={0}: {1} threads of {2} elements have more than lanes={3}; use vector={4} or narrower",
                         mapping.vector, threads, elements, lanes, std::bit_floor(unsigned(lanes / threads)) * narrowest_bytes(plan))
        .str();
  return std::nullopt;
}

} // namespace normforge::cuda
