// What the model promises of the default schedule, ptxas keeps: over the catalogue, dtypes and the extents of the benchmarks no default
// spills, each multiprocessor holds as many warps as the model counted on, loads are as wide as they can be, and the registers that the
// model reckons with are enough and come near those that ptxas takes when nothing limits it.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <regex>

#include <gtest/gtest.h>

#include "codegen/backend.h"
#include "codegen/cuda/registers.h"
#include "codegen/resources.h"
#include "dsl/problem.h"

namespace normforge::testing {
namespace {

const bool kLong = std::getenv("NORMFORGE_LONG") != nullptr;

constexpr int kAtLeast = 64;  ///< registers that each thread of a default has: what it wants below that makes no difference
constexpr int kShort = 32;    ///< for each word of an element: what the estimate may fall short by, or by more where it is enough as well
constexpr int kExcess = 64;   ///< what it may exceed ptxas's choice by
constexpr int kMeanError = 8; ///< either way, on average, for each word of an element

const Target &gpu() { return find_target("sm_90"); }

/// Problems by norm, extents and dtype, those of the benchmarks and of the rest of the catalogue.
std::vector<std::string> problems() {
  std::vector<std::string> all;
  const auto add = [&](std::initializer_list<const char *> norms, const std::vector<std::string> &extents) {
    for (const char *norm : norms)
      for (const std::string &each : extents)
        for (const char *dtype : {"bf16", "f32", "f64"})
          all.push_back(std::string(norm) + " " + each + " x=" + dtype);
  };
  std::vector<std::string> many, few;
  for (int cols : {64, 128, 256, 512, 1024, 1152, 1536, 2048, 2304, 2560, 4096, 5120, 8192, 12288, 16384, 32768, 65536, 131072, 262144})
    many.push_back("rows=8192 cols=" + std::to_string(cols));
  for (int rows : {1, 32, 1024, 32768})
    for (int cols : {64, 256, 2304, 16384, 32768, 262144})
      few.push_back("rows=" + std::to_string(rows) + " cols=" + std::to_string(cols));
  add({"rms_norm", "layer_norm", "softmax", "add_rms_norm", "rms_norm_quant"}, many);
  add({"rms_norm", "layer_norm", "softmax", "add_rms_norm", "rms_norm_quant"}, few);
  add({"add_layer_norm", "l1_normalize", "l2_normalize", "layer_norm_monitored", "layer_norm_quant", "layer_norm_std", "log_softmax",
       "rms_norm_gated", "rms_norm_gemma", "layer_norm_ragged", "softmax_ragged"},
      many);
  add({"batch_norm_infer", "batch_norm_train", "instance_norm", "layer_norm_channels", "mean_variance_norm", "moments"},
      {"batch=8 channel=64 space=3136", "batch=32 channel=256 space=196", "batch=8 channel=64 space=3136 order=batch,space,channel"});
  add({"group_norm"}, {"batch=8 group=32 sub=8 space=196", "batch=2 group=4 sub=16 space=4096"});
  add({"layer_norm", "rms_norm", "softmax"}, {"", "order=cols,rows"});
  return all;
}

/// What the model reckons with, of the nest that wants most.
int registers_wanted(const SweepPlan &plan, const Schedule &schedule) {
  const cuda::CudaMapping mapping = cuda::read_mapping(schedule.mapping);
  int most = 0;
  for (const Nest &nest : plan.nests) {
    const nest::NestShape shape = nest::shape_of(plan, nest, schedule.numerics, cuda::nest_mapping(plan, mapping));
    const nest::Residency residency = nest::residency_of(plan, shape, cuda::nest_mapping(plan, mapping).keep);
    most = std::max(most, cuda::registers_wanted(plan, shape, residency, mapping));
  }
  return most;
}

/// The most registers of a step, and what all steps spill, where ptxas gets `limit` in place of how many blocks a multiprocessor is to
/// hold.
std::pair<int64_t, int64_t> registers_and_spills(Kernel kernel, const std::string &limit) {
  kernel.object = std::regex_replace(kernel.object, std::regex("\\.minnctapersm \\d+"), limit);
  int64_t registers = 0, spilled = 0;
  for (const StepResources &step : resources_of(kernel, gpu())) {
    registers = std::max(registers, step.registers);
    spilled += step.spilled;
  }
  return {registers, spilled};
}

TEST(Defaults, KeepWhatTheModelPromises) {
  if (find_ptxas().empty())
    GTEST_SKIP() << "no ptxas";
  const Backend &cuda = backend_for(gpu());
  const std::vector<std::string> all = problems();
  std::map<int, std::pair<double, int>> errors; // by the words of an element: their sum, and of how many
  for (size_t i = 0; i < all.size(); i += kLong ? 1 : 23) {
    SCOPED_TRACE(all[i]);
    const SweepPlan plan = make_sweep_plan(parse_problem(all[i]));
    const Schedule schedule = cuda.default_schedule(plan, gpu());
    const Kernel kernel = cuda.compile(plan, schedule, gpu(), "kernel");
    const cuda::CudaMapping mapping = cuda::read_mapping(schedule.mapping);
    const int64_t promised = mapping.threads * mapping.rows * mapping.blocks / cuda::kWarp;
    for (const StepResources &step : resources_of(kernel, gpu())) {
      EXPECT_EQ(step.spilled, 0);
      EXPECT_GE(step.warps, promised);
      EXPECT_GE(step.access, step.promised);
    }
    const int words = info(plan.specialized.compute).bytes / 4;
    const int wanted = std::max(kAtLeast, registers_wanted(plan, schedule));
    const int64_t taken = std::max<int64_t>(kAtLeast, registers_and_spills(kernel, "").first);
    if (taken - wanted > kShort * words)
      EXPECT_EQ(registers_and_spills(kernel, ".maxnreg " + std::to_string(wanted)).second, 0) << wanted << " for " << taken;
    EXPECT_LE(wanted - taken, kExcess);
    auto &[error, count] = errors[words];
    error += double(std::abs(wanted - taken));
    ++count;
  }
  for (const auto &[words, of] : errors)
    EXPECT_LE(of.first / of.second, kMeanError * words) << words;
}

/// Short rows fill their warps, and loads of rows that are a multiple of 16 bytes have 16.
TEST(Defaults, LeaveNoLaneIdleAndReadSixteenBytesAtOnce) {
  const Backend &cuda = backend_for(gpu());
  for (const std::string &problem : problems()) {
    if (problem.find("cols=") == std::string::npos || problem.find("order=") != std::string::npos)
      continue;
    SCOPED_TRACE(problem);
    const SweepPlan plan = make_sweep_plan(parse_problem(problem));
    const Schedule schedule = cuda.default_schedule(plan, gpu());
    EXPECT_EQ(cuda.inapplicable(plan, schedule, gpu()), std::nullopt);
    EXPECT_EQ(parse_schedule(to_text(schedule, cuda.knobs()), cuda.knobs(), schedule), schedule);
    const cuda::CudaMapping mapping = cuda::read_mapping(schedule.mapping);
    const int input_bytes = info(*plan.specialized.dtypes[0]).bytes, elements = cuda::vector_elements(plan, mapping.vector);
    EXPECT_GE(elements * input_bytes, 16);
    EXPECT_LE(mapping.threads * elements, plan.specialized.axes.back().extent.lo);
    if (problem.find("rows=1 ") == std::string::npos) {
      EXPECT_EQ(mapping.threads * mapping.rows % cuda::kWarp, 0);
    }
  }
}

} // namespace
} // namespace normforge::testing
