#include "codegen/x86/cost_model.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "codegen/nest/nest_shape.h"
#include "codegen/nest/residency.h"
#include "codegen/nest/split.h"

namespace normforge::x86 {

using namespace nest;

namespace {

constexpr int64_t kSecondCache = 1 << 20; ///< bytes; what x86 servers' cores have, or more
constexpr int64_t kColumnsAtOnce = 64;    ///< across the contiguous axis, a row stands for about so many

/// Whether a sweep that could go over each chunk again reads rows that outgrow the second cache.
bool outgrows_caches(const SweepPlan &plan) {
  const Program &program = plan.program();
  for (const Nest &nest : plan.nests)
    for (const Sweep &sweep : nest.sweeps) {
      int64_t bytes = 0;
      const Extent reduced = extent_over(plan, nest.reduced);
      for (NodeId id : sweep.points)
        if (const Node &node = program.node(id); node.op == Op::tensor && (node.axes & nest.reduced) == nest.reduced && reduced.fixed())
          bytes += reduced.lo * info(*plan.specialized.dtypes[size_t(node.symbol)]).bytes * (is_outer(nest) ? kColumnsAtOnce : 1);
      if (!sweep.moments.empty() && bytes > kSecondCache)
        return true;
    }
  return false;
}

} // namespace

/// Squares about a mean go chunk by chunk where rows outgrow the second cache: half the time of two passes from memory, three quarters from
/// the last cache; rows that fit take 5 to 10 % more. 32 lanes are two 512-bit, four 256-bit or eight 128-bit accumulators of f32: enough
/// to hide an addition's latency with two rows at once, and few enough for 16 registers. f64 takes half as many. A run that is known to be
/// shorter needs no more lanes than elements. Across the contiguous axis there is one partial sum per kept index instead of 32, so chunks
/// are shorter to bound the error alike.
Numerics default_numerics(const SweepPlan &plan) {
  Numerics numerics;
  numerics.lanes = plan.specialized.compute == DType::f64 ? 16 : 32;
  int64_t longest = 0;
  for (const Nest &nest : plan.nests)
    if (is_outer(nest)) {
      numerics.chunk = 128;
    } else if (nest.reduced) {
      const Extent run = plan.specialized.axes[size_t(63 - std::countl_zero(nest.reduced))].extent;
      longest = std::max(longest, run.fixed() ? run.lo : numerics.lanes);
    }
  if (longest > 0 && longest < numerics.lanes)
    numerics.lanes = int(std::bit_ceil(uint64_t(longest)));
  numerics.fma = plan.transcendental();
  numerics.algorithm = outgrows_caches(plan) ? Numerics::chunked : Numerics::two_pass;
  return numerics;
}

namespace {

constexpr int64_t kFirstCache = 32 << 10; ///< bytes; what x86 cores have had for long, or more
constexpr int64_t kPage = 4 << 10;        ///< rows this far apart compete for the same sets of the first cache
constexpr int64_t kManyColumns = 256;     ///< wide tiles of so many leave work for several threads
constexpr int64_t kFewReduced = 8;        ///< that stay in registers for a tile of columns
constexpr int64_t kFewItems = 8;          ///< that may leave threads without work,
constexpr int64_t kLongItem = 256 << 10;  ///< where an item moves at least this many bytes
constexpr int64_t kGrain = 64 << 10;      ///< bytes that are worth a thread
constexpr int64_t kStreamed = 8 << 20;    ///< outputs of at least this many bytes are not read again from a cache
constexpr int64_t kFar = 128 << 20;       ///< and such do better without one, even where that takes more arithmetic

/// What one row (one item) of a nest moves and computes, at the smallest extents; zeros where they are not known.
struct RowCost {
  int64_t read = 0, written = 0;                        ///< bytes that belong to the row alone
  int64_t kept = 0;                                     ///< bytes of its buffer with keep=scratch; 0: there is none
  bool keeps = false;                                   ///< the buffer saves more operations than it costs stores
  bool holds = false;                                   ///< an output in its place does, without conversions
  bool converts = false, transcends = false;            ///< conversions, transcendental functions at each point
  bool writes_early = false;                            ///< a sweep that reduces writes at its points, too
  int reducing = 0;                                     ///< sweeps that reduce
  bool heavy() const { return converts || transcends; } ///< arithmetic outweighs loads
};

RowCost row_cost(const SweepPlan &plan, const NestShape &shape) {
  const Program &program = plan.program();
  RowCost cost;
  std::vector<char> seen(program.tensors.size(), 0);
  const auto bytes = [&](int tensor) -> int64_t {
    const AxisSet axes = program.axes_of(program.tensors[size_t(tensor)]);
    if ((shape.nest.kept && !(axes & shape.nest.kept)) || std::exchange(seen[size_t(tensor)], 1))
      return 0;
    return extent_over(plan, axes & shape.nest.reduced).lo * info(*plan.specialized.dtypes[size_t(tensor)]).bytes;
  };
  for (NodeId id : shape.nodes) {
    const Node &node = program.node(id);
    const bool at_points = (node.axes & shape.nest.reduced) != 0;
    if (node.op == Op::tensor) {
      cost.read += bytes(node.symbol);
      cost.converts |= at_points && *plan.specialized.dtypes[size_t(node.symbol)] != plan.specialized.compute;
    }
    cost.transcends |= at_points && info(node.op).transcendental;
  }
  for (const Sweep &sweep : shape.nest.sweeps) {
    cost.reducing += !sweep.reductions.empty();
    for (const Write &write : sweep.writes)
      if (size_t(write.tensor) < program.tensors.size()) {
        cost.written += bytes(write.tensor);
        cost.writes_early |= !sweep.reductions.empty();
      }
  }
  const Residency residency = residency_of(plan, shape, Keep::scratch);
  cost.kept = residency.slots ? residency.row_bytes() : 0;
  const int saved = operations(plan, residency_of(plan, shape, Keep::reread)) - operations(plan, residency);
  int stores = 0;
  for (const std::vector<NodeId> &leaves : residency.leaves)
    stores += int(leaves.size());
  cost.holds =
      cost.transcends && !cost.converts && residency_of(plan, shape, Keep::output).keeps() && (!cost.kept || cost.kept >= kFirstCache / 2);
  cost.keeps = 2 * saved >= 3 * stores && cost.kept && cost.kept <= (cost.transcends ? kStackBytes : kFirstCache / 2);
  return cost;
}

/// The nest that moves most bytes; null where there is none.
const Nest *main_nest(const SweepPlan &plan, const Numerics &numerics, const NestMapping &mapping) {
  const Nest *main = nullptr;
  int64_t most = -1;
  for (const Nest &nest : plan.nests)
    if (const int64_t moved =
            shape_of(plan, nest, numerics, mapping).item_bytes * std::max<int64_t>(1, extent_over(plan, nest.kept).lo / 1024);
        moved > most)
      main = &nest, most = moved;
  return main;
}

/// Whether what the nest writes outgrows the caches, in a sweep that only writes.
bool streams(const SweepPlan &plan, const NestShape &shape) {
  const auto &sweeps = shape.nest.sweeps;
  return !sweeps.empty() && sweeps.back().reductions.empty() &&
         row_cost(plan, shape).written * extent_over(plan, shape.nest.kept).lo >= kStreamed;
}

/// The most work items that a nest may have while its rows stay whole.
int64_t most_items(const SweepPlan &plan, const NestShape &shape) {
  const AxisSet columns = shape.inner ? 0 : axis_bit(shape.vector_axis);
  const int64_t rows = extent_over(plan, shape.nest.kept & ~columns).hi, tiles = (extent_over(plan, columns).hi - 1) / shape.width + 1;
  return rows < kFewItems ? rows * tiles : kFewItems;
}

/// Bytes of an element of the narrowest tensor that is read at points.
int narrowest(const SweepPlan &plan, const NestShape &shape) {
  int bytes = info(plan.specialized.compute).bytes;
  for (NodeId id : shape.nodes)
    if (const Node &node = plan.program().node(id); node.op == Op::tensor && (node.axes & shape.nest.reduced))
      bytes = std::min(bytes, info(*plan.specialized.dtypes[size_t(node.symbol)]).bytes);
  return bytes;
}

/// Keeps a tile of columns: in registers where few elements are reduced, with a tile of two registers as they are read; else in the first
/// cache. Rows of a tile lie far apart in the tensor, and each sweep reads them again otherwise.
void keep_columns(const SweepPlan &plan, const NestShape &shape, const Numerics &numerics, const Target &target, NestMapping &mapping) {
  const auto fits = [&](Keep keep, int tile, int64_t room) {
    NestMapping kept = mapping;
    kept.keep = keep;
    kept.tile = tile;
    const NestShape tiled = shape_of(plan, shape.nest, numerics, kept);
    const Residency residency = residency_of(plan, tiled, keep);
    if (!residency.slots || !kept_elements(plan, tiled) || residency.row_bytes() > room)
      return false;
    mapping = kept;
    return true;
  };
  const int pair = 2 * target.vector_bits / 8 / narrowest(plan, shape);
  const std::span<const int64_t> tiles = mapping_knobs()[kTileKnob].values;
  if (extent_over(plan, shape.nest.reduced).hi > kFewReduced || std::ranges::find(tiles, pair) == tiles.end() ||
      !fits(Keep::registers, pair, int64_t(target.vector_registers) * target.vector_bits / 8))
    fits(Keep::scratch, mapping.tile, kFirstCache);
}

/// Measured on Zen 5 in and out of the caches, with AVX2 and AVX-512. Rows at once pay while their bytes share the first cache, the more
/// the heavier the arithmetic is, and need registers; rows a page apart do not get on. A buffer pays where points are costly to make again;
/// an output in the place of a long one saves traffic between the caches, unless it could have been streamed; fetching ahead pays where
/// there is room beside what is being worked on, or where everything comes from memory anyway. Splitting few long rows costs one thread 1
/// to 3 %, unless it gives up a buffer that pays.
NestMapping nest_mapping(const SweepPlan &plan, const Numerics &numerics, const Target &target) {
  NestMapping mapping{.rows = 1, .unroll = 1, .vector = target.vector_bits, .tile = 64, .share = 1, .keep = Keep::reread, .split = 1};
  const Nest *nest = main_nest(plan, numerics, mapping);
  if (!nest)
    return mapping;
  NestShape shape = shape_of(plan, *nest, numerics, mapping);
  const bool wide_file = target.vector_registers >= 32;
  if (!shape.inner && wide_file && plan.specialized.axes[size_t(shape.vector_axis)].extent.lo >= kManyColumns)
    mapping.tile = 128;
  const bool few = most_items(plan, shape) < kFewItems && shape.item_bytes >= kLongItem && !unsplittable(plan, shape, numerics);
  const bool holds = shape.inner && row_cost(plan, shape).holds;
  if (few && (holds || !(shape.inner && row_cost(plan, shape).keeps))) {
    mapping.split = 16;
    mapping.keep = holds ? Keep::output : Keep::reread;
    mapping.stream = shape.inner && !holds && streams(plan, shape);
    return mapping;
  }
  if (shape.ragged_kept || shape.ragged_reduction)
    return mapping;
  if (!shape.inner) {
    keep_columns(plan, shape, numerics, target, mapping);
    return mapping;
  }

  RowCost cost = row_cost(plan, shape);
  const Extent rows = extent_over(plan, shape.nest.kept);
  mapping.stream = streams(plan, shape);
  if (mapping.stream) { // its buffers are padded
    shape = shape_of(plan, *nest, numerics, mapping);
    cost = row_cost(plan, shape);
  }
  if (cost.keeps && (cost.transcends || !mapping.stream))
    mapping.keep = Keep::scratch;
  if (holds && !(mapping.stream && (mapping.keep == Keep::scratch || cost.written * rows.lo >= kFar))) {
    mapping.keep = Keep::output;
    mapping.stream = false;
  }
  const bool keeps = mapping.keep != Keep::reread;
  const int64_t buffer = mapping.keep == Keep::scratch ? cost.kept : keeps ? cost.written : 0;

  const auto fits = [&](int count, int64_t bytes) { return rows.hi >= count && count * bytes <= kFirstCache; };
  const bool aliased = cost.read >= 2 * kPage && cost.read % kPage == 0;
  const bool beyond = cost.read > 2 * kFirstCache; // a row comes from the outer caches at each sweep
  const bool narrow = cost.read < cost.kept;       // wider as it is kept
  if (!cost.read)                                  // open extents
    mapping.rows = rows.hi >= 2 ? 2 : 1;
  else if (mapping.stream)
    mapping.rows = int(std::min<int64_t>(rows.hi, cost.transcends ? 1 : cost.converts && wide_file ? 4 : cost.converts || beyond ? 2 : 1));
  else if (cost.transcends && keeps) // registers for more, or the cache with what all of them read and write
    mapping.rows = wide_file && fits(8, 16 * cost.read)                               ? 8
                   : fits(4, narrow ? 2 * buffer : 4 * buffer)                        ? 4
                   : fits(2, narrow ? buffer : 2 * cost.read + cost.written + buffer) ? 2
                                                                                      : 1;
  else if (cost.heavy() && wide_file && narrow)
    mapping.rows = keeps && fits(8, buffer) ? 8 : fits(4, 2 * buffer) ? 4 : fits(2, buffer) ? 2 : 1;
  else if (cost.heavy())
    mapping.rows = fits(2, buffer) ? 2 : 1;
  else if (cost.reducing > 1 && !aliased)
    mapping.rows = wide_file && fits(8, 4 * cost.read) ? 8 : fits(4, 4 * cost.read) ? 4 : fits(2, 4 * cost.read) ? 2 : 1;
  else if (cost.reducing == 1 && !aliased && !cost.writes_early)
    mapping.rows = fits(4, (wide_file ? 32 : 4) * cost.read) ? 4 : 1;
  const bool room = rows.hi > mapping.rows && cost.read && mapping.rows * (2 * cost.read + cost.written + buffer) <= kFirstCache;
  const bool outgrows = cost.read && rows.hi > kSecondCache / (cost.read + cost.written); // all rows together
  mapping.prefetch = room || (keeps && outgrows && rows.hi > mapping.rows) || (mapping.stream && (!beyond || cost.transcends));
  return mapping;
}

} // namespace

X86Mapping default_mapping(const SweepPlan &plan, const Numerics &numerics, const Target &target) {
  return {nest_mapping(plan, numerics, target), kGrain};
}

} // namespace normforge::x86
