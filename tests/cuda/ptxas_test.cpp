// ptxas, where there is one, assembles the kernels for the architecture that they are for. No kernel spills registers, uses local memory,
// or loads less at once than its schedule promises. What they take is printed, a table for each norm.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "codegen/cuda/threads.h"
#include "codegen/resources.h"
#include "dsl/problem.h"
#include "tests/cuda/ptx_accesses.h"
#include "tests/cuda/variants.h"
#include "tests/package/temporary.h"

namespace normforge::testing {
namespace {

constexpr int kWidest = 16;        ///< bytes of an access
constexpr int kUnaligned = 1;      ///< narrow bytes beside a wide one: each is there once more, for unaligned memory
constexpr int kUnalignedOrEnd = 3; ///< and a row's end, in both versions, is no more than the rest of it
constexpr int kFirst = 4;          ///< elements that all threads of a row read: what statistics are shifted by, in both versions
const int kEach = std::getenv("NORMFORGE_LONG") ? 1 : 5; ///< variant: of five, as many go to each architecture

/// `narrow_per_wide`: bytes that may be moved by narrower accesses for each that is moved by the widest.
void expect_moved_at(int width, const BytesByWidth &moved, int narrow_per_wide, int64_t others) {
  if (moved.empty())
    return;
  int64_t narrower = 0;
  for (const auto &[bytes, sum] : moved)
    narrower += bytes < width ? sum : 0;
  EXPECT_EQ(moved.rbegin()->first, width);
  EXPECT_LE(narrower, narrow_per_wide * moved.rbegin()->second + others);
}

/// Each tensor that lies along the vector axis, by itself: the widest loads and stores of it are those that its threads' neighbouring
/// elements allow, and what is narrower is no more than code for unaligned memory and for the ends of rows takes.
void expect_wide_accesses(const Variant &variant, const Step &step) {
  const SweepPlan plan = make_sweep_plan(parse_problem(variant.kernel.problem));
  const cuda::CudaMapping mapping = cuda::read_mapping(variant.schedule.mapping);
  size_t sweeps = 1;
  std::set<std::pair<int, int>> kinds; // of the plan's nests: elements at once, and along which axis
  for (const Nest &nest : plan.nests) {
    const nest::NestShape shape = nest::shape_of(plan, nest, variant.schedule.numerics, cuda::nest_mapping(plan, mapping));
    sweeps = std::max(sweeps, nest.sweeps.size());
    kinds.emplace(cuda::threads_of(plan, shape, mapping).vector, shape.vector_axis);
  }
  if (step.launch.access_bytes == 0 || kinds.size() != 1)
    return;
  const auto [elements, axis] = *kinds.begin();
  const Extent &extent = plan.specialized.axes[size_t(axis)].extent;
  const bool ends_whole = plan.program().axes[size_t(axis)].length < 0 && extent.fixed() && extent.lo % elements == 0;
  // What is copied ahead is read once for all sweeps, but for unaligned memory.
  const int narrow = (ends_whole ? kUnaligned : kUnalignedOrEnd) * (mapping.stages > 1 ? int(sweeps) : 1);
  const PtxAccesses accesses = accesses_of(variant.kernel, step);
  for (size_t t = 0; t < plan.program().tensors.size(); ++t) {
    const Tensor &tensor = plan.program().tensors[t];
    if (!plan.specialized.dtypes[t] || !(plan.program().axes_of(tensor) & axis_bit(axis)))
      continue;
    SCOPED_TRACE(tensor.name);
    const int bytes = info(*plan.specialized.dtypes[t]).bytes, width = std::min(kWidest, elements * bytes);
    const bool in_bulk = mapping.stages > 1 && mapping.copy == cuda::Copy::bulk;
    for (const auto *moved : {&accesses.loads, &accesses.stores})
      if (const auto of = moved->find(t); of != moved->end() && !(in_bulk && of->second.rbegin()->first > width)) // threads read the rest
        expect_moved_at(width, of->second, narrow, kFirst * bytes);
  }
}

std::vector<StepResources> expect_no_spills(const Kernel &kernel, const Target &target) {
  std::vector<StepResources> steps = resources_of(kernel, target);
  EXPECT_EQ(steps.size(), kernel.steps.size());
  for (const StepResources &step : steps) {
    EXPECT_GT(step.registers, 0);
    EXPECT_EQ(step.spilled, 0);
    EXPECT_EQ(step.local, 0);
    EXPECT_GT(step.warps, 0);
    EXPECT_GE(step.access, step.promised);
  }
  return steps;
}

class PtxasOf : public ::testing::TestWithParam<size_t> {};

TEST_P(PtxasOf, AssemblesEveryVariantWithoutSpills) {
  if (find_ptxas().empty())
    GTEST_SKIP() << "no ptxas";
  std::vector<StepResources> rows;
  for_each_variant(GetParam(), kEach, [&](const Variant &variant) {
    SCOPED_TRACE(variant.name);
    for (const Step &step : variant.kernel.steps)
      expect_wide_accesses(variant, step);
    for (StepResources &step : expect_no_spills(variant.kernel, *variant.target)) {
      step.symbol = variant.name + (step.symbol == "kernel" ? "" : " " + step.symbol);
      rows.push_back(std::move(step));
    }
  });
  std::fputs(to_table(rows).c_str(), stdout);
}

INSTANTIATE_TEST_SUITE_P(Catalogue, PtxasOf, ::testing::Range<size_t>(0, catalogue().size()),
                         [](const auto &norm) { return catalogue()[norm.param]->program.name; });

/// All of a row comes by bulk copies, and none by those of threads.
TEST(Ptxas, AssemblesRowsThatComeInBulk) {
  if (find_ptxas().empty())
    GTEST_SKIP() << "no ptxas";
  const Target &gpu = find_target("sm_90");
  const Backend &cuda = backend_for(gpu);
  for (const char *text : {"layer_norm rows=1024 cols=4096 x=bf16", "rms_norm rows=64 cols=1152 x=f32", "softmax rows=64 cols=8008 x=f16"})
    for (const char *mapping : {"grid=resident stages=2 copy=bulk blocks=1", "grid=resident stages=3 copy=bulk keep=reread blocks=1",
                                "cluster=2 rows=1 blocks=1 threads=64 vector=8 grid=resident stages=2 copy=bulk keep=reread"}) {
      SCOPED_TRACE(std::string(text) + " / " + mapping);
      const SweepPlan plan = make_sweep_plan(parse_problem(text));
      const Schedule schedule = parse_schedule(mapping, cuda.knobs(), cuda.default_schedule(plan, gpu));
      const Kernel kernel = cuda.compile(plan, schedule, gpu, "kernel");
      expect_no_spills(kernel, gpu);
      EXPECT_NE(kernel.object.find("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes"), kernel.object.npos);
      EXPECT_EQ(kernel.object.find("cp.async.c"), kernel.object.npos);
    }
}

/// Rows of the sizes between powers of two, each by as many threads as have one vector of it, or a few, and no lane that is not there.
TEST(Ptxas, AssemblesRowsThatThreadsOfAnyNumberShare) {
  if (find_ptxas().empty())
    GTEST_SKIP() << "no ptxas";
  const Target &gpu = find_target("sm_90");
  const std::pair<const char *, std::vector<const char *>> kShared[] = {
      {"layer_norm rows=1024 cols=1152 x=bf16", {"lanes=2048 threads=160", "lanes=2048 threads=64"}},
      {"rms_norm rows=1024 cols=1536 x=bf16", {"lanes=2048 threads=192", "lanes=2048 threads=96 fold=high"}},
      {"softmax rows=1024 cols=2304 x=bf16", {"lanes=4096 threads=288", "lanes=4096 threads=96"}},
      {"add_rms_norm rows=1024 cols=2560 x=bf16", {"lanes=4096 threads=320", "lanes=4096 threads=160"}},
      {"layer_norm rows=1024 cols=5120 x=bf16", {"lanes=8192 threads=640", "lanes=8192 threads=320 grid=resident stages=2 copy=bulk"}},
      {"rms_norm rows=1024 cols=6144 x=f32", {"lanes=8192 threads=768", "lanes=8192 threads=384 cluster=2"}},
  };
  for (const auto &[text, schedules] : kShared)
    for (const char *schedule : schedules) {
      SCOPED_TRACE(std::string(text) + " / " + schedule);
      const SweepPlan plan = make_sweep_plan(parse_problem(text));
      expect_no_spills(backend_for(gpu).compile(plan, schedule_for(plan, gpu, schedule), gpu, "kernel"), gpu);
    }
}

/// The last fold of a row, which one thread alone uses, has the sums of all warps in registers only while it merges them.
TEST(Ptxas, FoldsManyWarpsInFewRegisters) {
  if (find_ptxas().empty())
    GTEST_SKIP() << "no ptxas";
  const Target &gpu = find_target("sm_90");
  const SweepPlan plan = make_sweep_plan(parse_problem("layer_norm_monitored rows=64 cols=65536 x=f64"));
  for (const char *schedule : {"threads=512 vector=8", "threads=512 vector=16", "threads=512 vector=8 fold=high", "threads=256 vector=8"}) {
    SCOPED_TRACE(schedule);
    expect_no_spills(backend_for(gpu).compile(plan, schedule_for(plan, gpu, schedule), gpu, "kernel"), gpu);
  }
}

/// Warps of a kernel that a multiprocessor holds, and could hold, where an assembler gives it so many registers.
std::string warps_of(const Launch &launch, int registers, const char *target = "sm_90") {
  const TemporaryDirectory directory;
  const std::string ptxas = directory / "ptxas";
  std::ofstream(ptxas) << "#!/bin/sh\necho \"Compiling entry function 'kernel' for 'sm_90'\"\necho 'Used " << registers
                       << " registers'\necho code >\"$4\"\n";
  std::filesystem::permissions(ptxas, std::filesystem::perms::owner_all);
  const char *named = std::getenv("NORMFORGE_PTXAS");
  const std::string before = named ? named : "";
  ::setenv("NORMFORGE_PTXAS", ptxas.c_str(), 1);
  const Kernel kernel{.object = ".entry kernel()", .steps = {{.symbol = "kernel", .launch = launch}}};
  const StepResources step = resources_of(kernel, find_target(target)).front();
  named ? ::setenv("NORMFORGE_PTXAS", before.c_str(), 1) : ::unsetenv("NORMFORGE_PTXAS");
  return std::to_string(step.warps) + "/" + std::to_string(step.most_warps);
}

TEST(Ptxas, OccupancyByRegistersSharedMemoryAndClusters) {
  EXPECT_EQ(warps_of({.threads = 256, .rows = 1}, 32), "64/64");
  EXPECT_EQ(warps_of({.threads = 32, .rows = 8}, 64), "32/64");
  EXPECT_EQ(warps_of({.threads = 32, .rows = 1}, 16), "32/64"); // blocks
  EXPECT_EQ(warps_of({.threads = 256, .rows = 1, .shared_bytes = 100 << 10}, 32), "16/64");
  // Of 18 multiprocessors that hold a block of 32 warps each, 16 have whole clusters of 4.
  EXPECT_EQ(warps_of({.threads = 1024, .rows = 1, .cluster = 2}, 64), "32/64");
  EXPECT_EQ(warps_of({.threads = 1024, .rows = 1, .cluster = 4}, 64), "28/64");
  EXPECT_EQ(warps_of({.threads = 1024, .rows = 1, .cluster = 8}, 32), "56/64");
  EXPECT_EQ(warps_of({.threads = 1024, .rows = 1, .cluster = 16}, 32), "56/64"); // two of them, of 36 blocks

  // NVIDIA's table of compute capabilities: resident blocks.
  EXPECT_EQ(warps_of({.threads = 32, .rows = 1}, 16, "sm_80"), "32/64");
  EXPECT_EQ(warps_of({.threads = 32, .rows = 1}, 16, "sm_86"), "16/48");
  EXPECT_EQ(warps_of({.threads = 32, .rows = 1}, 16, "sm_89"), "24/48");
}

} // namespace
} // namespace normforge::testing
