// The mapping half of a CUDA schedule: the table that a person and a search see, and the typed view that emission reads.
#pragma once

#include <span>

#include "codegen/schedule.h"

namespace normforge::cuda {

std::span<const Knob> mapping_knobs();
constexpr size_t kThreadsKnob = 0, kVectorKnob = 2, kUnrollKnob = 3, kKeepKnob = 4, kBlocksKnob = 5, kSplitKnob = 10; ///< rows of the table

/// What later sweeps need of a point: read and computed again, or kept by the thread that owns the point.
enum class Keep { reread, shared, registers };

/// Blocks of a launch: as many as there are rows for, or as many as multiprocessors hold at once.
enum class Grid { whole, resident };

/// What copies rows ahead: each thread what it reads itself (cp.async), or one thread whole runs (cp.async.bulk).
enum class Copy { async, bulk };

struct CudaMapping {
  int threads; ///< of a row in one block, or of a tile where the contiguous axis is kept
  int rows;    ///< per block
  int vector;  ///< bytes of the widest load or store
  int unroll;  ///< blocks of lanes per iteration, whose loads go together
  Keep keep;
  int blocks; ///< that a multiprocessor has registers for, at least
  Grid grid;
  int stages; ///< rows that are in shared memory or on their way there; 1: each is read from global memory when it is wanted
  Copy copy;
  int cluster; ///< blocks that share a row
  int split;   ///< parts of a row, each with threads of its own; 1: rows stay whole
};

CudaMapping read_mapping(const Mapping &);
Mapping write_mapping(const CudaMapping &);

/// `mapping` with what is settled in place of its own.
CudaMapping with_choices(const CudaMapping &mapping, const MappingChoices &settled);

} // namespace normforge::cuda
