#include "codegen/x86/knobs.h"

#include "dsl/error.h"

namespace normforge::x86 {
namespace {

constexpr int64_t kRows[] = {1, 2, 3, 4, 6, 8};
constexpr int64_t kUnroll[] = {1, 2, 4};
constexpr int64_t kVector[] = {512, 256, 128};
constexpr int64_t kTile[] = {64, 16, 32, 128, 256};
constexpr int64_t kKeep[] = {0, 1, 2, 3};
constexpr std::string_view kKeepWords[] = {"reread", "scratch", "registers", "output"};
constexpr int64_t kStore[] = {0, 1};
constexpr std::string_view kStoreWords[] = {"normal", "stream"};
constexpr int64_t kPrefetch[] = {0, 1, 2, 4};
constexpr int64_t kSplit[] = {1, 2, 4, 8, 16, 32};
constexpr int64_t kGrain[] = {64 << 10, 16 << 10, 32 << 10, 128 << 10, 256 << 10, 1 << 20};

constexpr Knob kKnobs[] = {
    {"rows", "rows that are worked on at once: shares loads of parameters and overlaps the folding of sums", kRows, {}},
    {"unroll", "vectors of lanes per iteration of the innermost loop: pays for loop overhead and address arithmetic", kUnroll, {}},
    {"vector", "bits of the registers that are used: narrower ones clock higher on some machines", kVector, {}},
    {"tile",
     "columns per work item where the contiguous axis is kept: wide ones use whole cache lines, narrow ones give more items",
     kTile,
     {}},
    {"keep",
     "what later sweeps need of a point: read and computed again, kept in a row buffer, in registers (short fixed rows), or in the output "
     "that is written last",
     kKeep, kKeepWords, "rows"},
    {"store", "stream: stores that bypass the caches, for outputs that outgrow them", kStore, kStoreWords},
    {"prefetch", "groups of rows ahead that the second sweep fetches: hides the latency of the outer caches", kPrefetch, {}},
    {"split", "parts of a row that threads share, chunk by chunk: for few rows that are long; wants a workspace", kSplit, {}},
    {"grain", "bytes that are worth a thread", kGrain, {}},
};

} // namespace

std::span<const Knob> mapping_knobs() { return kKnobs; }

X86Mapping read_mapping(const Mapping &mapping) {
  internal_check(mapping.values.size() == std::size(kKnobs));
  const auto &v = mapping.values;
  return {.nest = {.rows = int(v[0]),
                   .unroll = int(v[1]),
                   .vector = int(v[2]),
                   .tile = int(v[3]),
                   .share = 1,
                   .keep = nest::Keep(v[4]),
                   .stream = v[5] != 0,
                   .prefetch = int(v[6]),
                   .split = int(v[7])},
          .grain = v[8]};
}

Mapping write_mapping(const X86Mapping &mapping) {
  const nest::NestMapping &m = mapping.nest;
  return {{m.rows, m.unroll, m.vector, m.tile, int64_t(m.keep), m.stream, m.prefetch, m.split, mapping.grain}};
}

} // namespace normforge::x86
