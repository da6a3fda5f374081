#include "codegen/cuda/knobs.h"

#include "dsl/error.h"

namespace normforge::cuda {
namespace {

constexpr int64_t kThreads[] = {32, 1, 2, 4, 8, 16, 64, 96, 128, 160, 192, 256, 288, 320, 384, 512, 640, 768, 1024};
constexpr int64_t kRows[] = {1, 2, 4, 8, 16, 32, 64, 128};
constexpr int64_t kVector[] = {16, 8, 4, 2, 1};
constexpr int64_t kUnroll[] = {1, 2, 4};
constexpr int64_t kKeep[] = {0, 1, 2};
constexpr int64_t kBlocks[] = {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16};
constexpr int64_t kGrid[] = {0, 1};
constexpr int64_t kStages[] = {1, 2, 3, 4};
constexpr int64_t kCopy[] = {0, 1};
constexpr int64_t kCluster[] = {1, 2, 4, 8, 16};
constexpr int64_t kSplit[] = {1, 2, 4, 8, 16, 32, 64, 128};
constexpr std::string_view kKeepWords[] = {"reread", "shared", "registers"};
constexpr std::string_view kGridWords[] = {"whole", "resident"};
constexpr std::string_view kCopyWords[] = {"async", "bulk"};

constexpr Knob kKnobs[] = {
    {"threads", "threads that share a row: up to a warp they shuffle, more of them meet in shared memory", kThreads, {}},
    {"rows", "rows per block: fills a block where rows are short", kRows, {}},
    {"vector",
     "bytes of a load or store of the narrowest tensor: wide ones need fewer instructions, narrow ones any alignment",
     kVector,
     {}},
    {"unroll", "blocks of lanes per iteration: more loads in flight", kUnroll, {}},
    {"keep", "what later sweeps need of a point: read and computed again, kept in shared memory, or kept in registers", kKeep, kKeepWords},
    {"blocks",
     "blocks that a multiprocessor has registers for: more of them have more loads in flight, fewer keep more in registers",
     kBlocks,
     {}},
    {"grid",
     "as many blocks as there are rows for, or 'blocks' per multiprocessor that go from row to row: many rows then wait for no block to "
     "start",
     kGrid, kGridWords, "blocks"},
    {"stages",
     "rows that a block of a persistent grid has in shared memory or on their way there: memory does not rest while rows are worked on",
     kStages,
     {},
     "grid"},
    {"copy",
     "who copies those rows: each thread what it reads, or one thread all of a row in bulk, which spares the others instructions (sm_90 "
     "and "
     "later)",
     kCopy, kCopyWords, "stages"},
    {"cluster",
     "blocks of 'threads' that share a row and meet in each other's shared memory: rows that are too long for one multiprocessor",
     kCluster,
     {},
     "threads"},
    {"split", "parts of a row that blocks share, chunk by chunk: for few rows that are long; wants a workspace", kSplit, {}},
};

} // namespace

std::span<const Knob> mapping_knobs() { return kKnobs; }

CudaMapping read_mapping(const Mapping &mapping) {
  internal_check(mapping.values.size() == std::size(kKnobs));
  const auto &v = mapping.values;
  return {.threads = int(v[0]),
          .rows = int(v[1]),
          .vector = int(v[2]),
          .unroll = int(v[3]),
          .keep = Keep(v[4]),
          .blocks = int(v[5]),
          .grid = Grid(v[6]),
          .stages = int(v[7]),
          .copy = Copy(v[8]),
          .cluster = int(v[9]),
          .split = int(v[10])};
}

Mapping write_mapping(const CudaMapping &m) {
  return {
      {m.threads, m.rows, m.vector, m.unroll, int64_t(m.keep), m.blocks, int64_t(m.grid), m.stages, int64_t(m.copy), m.cluster, m.split}};
}

CudaMapping with_choices(const CudaMapping &mapping, const MappingChoices &settled) {
  return read_mapping(normforge::with_choices(write_mapping(mapping), settled));
}

} // namespace normforge::cuda
