// How the threads of a row divide a block of lanes. Lane l belongs to thread (l / vector) mod count: a thread has `groups` runs of `vector`
// neighbours, and neighbouring threads have neighbouring runs, so that a warp's loads are contiguous. Which lane an element belongs to is
// the numerics half's alone (codegen/schedule.h): no bit depends on any of this.
//
// Where a row has fewer elements than lanes, threads need not have those that it does not reach: 1536 elements are three groups of 8 for
// each of 64 threads, or one for each of 192, though the lanes are 2048.
#pragma once

#include "codegen/cuda/knobs.h"
#include "codegen/nest/nest_shape.h"
#include "codegen/nest/residency.h"

namespace normforge::cuda {

struct Threads {
  int count = 1;   ///< of a row, or of a tile
  int cluster = 1; ///< blocks that they are divided over
  int vector = 1;  ///< elements that are neighbours in memory
  int groups = 1;
  int order = 1; ///< lanes that fold: past those that the threads have, none has an element
  int rows = 1;  ///< per block

  int of_block() const { return count / cluster; }
  int lanes() const { return vector * groups; } ///< of one thread
  int stride() const { return count * vector; } ///< from one group of a thread to the next, in lanes
};

constexpr int kWarp = 32;
constexpr int kBlockThreads = 1024;          ///< the most that a block has
constexpr int kNamedBarriers = 15;           ///< besides the one of the whole block
constexpr int64_t kReservedShared = 1 << 10; ///< bytes of shared memory that each block has besides its own

/// Bytes of an element of the narrowest tensor along the contiguous axis.
int narrowest_bytes(const SweepPlan &);

/// Elements of it that `vector` bytes hold.
int vector_elements(const SweepPlan &, int vector);

/// What a tensor of the plan can have at most: of 1 TB of memory.
int64_t most_elements(const SweepPlan &);

/// Whether the sweeps of a nest are unrolled as a whole, so that what is indexed in them becomes registers.
bool unrolls(const nest::NestShape &, const nest::Residency &);

/// `mapping` as the emitter of nests takes it.
nest::NestMapping nest_mapping(const SweepPlan &, const CudaMapping &);

/// Where the mapping's threads do not divide NestShape::width, the next power of two below that many do. Threads that are no power of two
/// divide a row that goes over the lanes once (nest_shape.h), or the columns of a tile.
Threads threads_of(const SweepPlan &, const nest::NestShape &, const CudaMapping &);

/// Of the nests that reduce along rows the one with the most lanes; nullopt: there is none.
std::optional<nest::NestShape> widest_rows(const SweepPlan &, const Numerics &, const CudaMapping &);

/// Lanes along rows: those that rows reach.
int row_lanes(const SweepPlan &, const Numerics &, const CudaMapping &);

/// Why the mapping's threads and vectors cannot share the lanes of rows (unfit_lanes.cpp); nullopt where they can. Across the contiguous
/// axis there are as many lanes as the threads want.
std::optional<std::string> unfit_lanes(const SweepPlan &, const Numerics &, const CudaMapping &);

/// What the threads of a row, or of a part of one, go over at most.
int64_t most_points(const SweepPlan &, const nest::NestShape &, const Numerics &, int split);

/// Bytes of shared memory that a block's partial sums of chunks take until they merge (nest/reduce_tree.h), where they are not in
/// registers.
int64_t tree_bytes(const SweepPlan &, const nest::NestShape &, const Numerics &, const CudaMapping &);

} // namespace normforge::cuda
