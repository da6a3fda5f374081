// Bands of the length of rows: problems come in parts, a library's kernels of a band have one numerics half, and so which of them serves a
// row changes no bit of it.
#include "codegen/package/run_bands.h"

#include <gtest/gtest.h>

#include "codegen/check/kernel_call.h"
#include "codegen/emulator.h"
#include "codegen/package/selection.h"

namespace normforge {
namespace {

const Target &gpu() { return find_target("sm_90"); }

std::vector<std::string> parts(const std::string &problem, const Target &target = gpu()) {
  std::vector<std::string> texts;
  for (const Problem &part : in_bands({parse_problem(problem)}, target))
    texts.push_back(to_text(part));
  return texts;
}

TEST(RunBands, CutProblemsWhereTheRowsAreOpen) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(parts("softmax"), (Texts{"softmax cols=0..1024", "softmax cols=1025..4096", "softmax cols=4097..16384",
                                     "softmax cols=16385..262144", "softmax cols=262145.."}));
  EXPECT_EQ(parts("layer_norm rows=1..8 cols=1000..2000 x=bf16"),
            (Texts{"layer_norm rows=1..8 cols=1000..1024 x=bf16", "layer_norm rows=1..8 cols=1025..2000 x=bf16"}));
  EXPECT_EQ(parts("softmax cols=4096"), Texts{"softmax cols=4096"});
  EXPECT_EQ(parts("softmax", find_target("x86-64-v3")), Texts{"softmax"});
  for (const char *single : {"group_norm", "batch_norm_train", "softmax_ragged", "softmax order=cols,rows"})
    EXPECT_EQ(parts(single).size(), 1u) << single;
}

TEST(RunBands, HaveANumericsHalfEach) {
  const auto lanes = [](const char *problem) { return pinned_numerics(parse_problem(problem), gpu()).lanes; };
  EXPECT_EQ(lanes("softmax cols=64"), lanes("softmax cols=1024"));
  EXPECT_LT(lanes("softmax cols=1024"), lanes("softmax cols=1025"));
  EXPECT_LT(lanes("softmax cols=8192"), lanes("softmax cols=262144"));
  for (const char *text : {"softmax cols=262144 x=bf16", "rms_norm cols=4096", "layer_norm"}) {
    const Selection selection = select_kernels(std::vector{parse_problem(text)}, parse_targets("sm_90"));
    for (const SelectedKernel &kernel : selection.functions.at(0).kernels) {
      EXPECT_EQ(kernel.schedule.numerics, pinned_numerics(kernel.plan->problem, gpu())) << to_text(kernel.plan->problem);
      const Extent &cols = kernel.plan->problem.extents[1];
      if (cols.fixed()) { // what a library has is what `show` and `run` have
        EXPECT_EQ(kernel.schedule, backend_for(gpu()).default_schedule(*kernel.plan, gpu()));
      }
    }
  }
}

// The kernel for this length alone reaches fewer lanes than the one for all of the band has.
TEST(RunBands, KernelsOfABandAgreeOnEveryBit) {
  for (const char *norm : {"softmax", "layer_norm", "layer_norm x=bf16", "rms_norm_quant"})
    for (const int64_t cols : {1, 3, 33, 64, 200, 1024, 1025, 1500, 4096, 9000}) {
      std::vector<Problem> problems{parse_problem(std::string(norm) + " cols=" + std::to_string(cols))};
      for (const Problem &part : in_bands({parse_problem(norm)}, gpu()))
        if (part.extents[1].contains(cols))
          problems.push_back(part);
      ASSERT_EQ(problems.size(), 2u);
      const std::vector<int64_t> extents{2, cols};
      const ReferenceInputs inputs = make_inputs(problems[0], extents, {.seed = 3, .mean = 0.5});
      std::string expected;
      for (const Problem &problem : problems) {
        const SweepPlan plan = make_sweep_plan(problem);
        const Schedule schedule = default_schedule(backend_for(gpu()), plan, gpu(), pinned_numerics(problem, gpu()));
        const Kernel kernel = compile_for_emulator(plan, schedule, gpu(), "kernel");
        const LoadedKernel loaded(kernel);
        KernelCall call(problem, extents, inputs);
        call.run(kernel, loaded);
        EXPECT_EQ(take_emulator_fault(), "");
        if (expected.empty())
          expected = call.output_bits();
        EXPECT_EQ(call.output_bits() == expected, true) << to_text(problem) << " at " << cols;
      }
    }
}

} // namespace
} // namespace normforge
