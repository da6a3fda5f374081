// What is wrong does not pass: kernels that are broken on purpose, each in another way.
#include <gtest/gtest.h>

#include "autotune/gate.h"
#include "codegen/backend.h"
#include "tests/autotune/search_support.h"

namespace normforge::testing {
namespace {

class Gate : public ::testing::TestWithParam<const char *> {
protected:
  Gate() : plan(make_sweep_plan(gate_problem(parse_problem(GetParam())))), by_default(compile("")) {}

  Kernel compile(const std::string &schedule) const {
    const Backend &backend = backend_for(host_target());
    return backend.compile(plan, parse_schedule(schedule, backend.knobs(), backend.default_schedule(plan, host_target())), host_target(),
                           "kernel");
  }
  std::vector<Verdict> pass(const std::vector<Entrant> &others) const {
    std::vector<Entrant> all{{&by_default, true}};
    all.insert(all.end(), others.begin(), others.end());
    return pass_gate(plan.problem, all, 1.5, nullptr);
  }

  SweepPlan plan;
  Kernel by_default;
};

constexpr char kReturn[] = "\xc3";      // ret
constexpr char kTrap[] = "\x0f\x0b";    // ud2
constexpr char kForever[] = "\xeb\xfe"; // jmp to itself

TEST_P(Gate, RightKernelsPass) {
  const Kernel other = compile("unroll=2");
  for (const Verdict &verdict : pass({{&other, true}})) {
    EXPECT_EQ(verdict.rejected, "");
    EXPECT_LE(verdict.deviation, 1);
  }
}

TEST_P(Gate, BrokenKernelsAreRejectedAndTheOthersStillSeen) {
  const Kernel other = compile("unroll=2");
  Kernel idle = compile(""), trap = compile(""), forever = compile("");
  replace_code(idle, kReturn);
  replace_code(trap, kTrap);
  replace_code(forever, kForever);
  const std::vector<Verdict> verdicts = pass({{&trap, true}, {&other, true}, {&idle, true}, {&forever, true}, {&other, true}});
  ASSERT_EQ(verdicts.size(), 6u);
  EXPECT_EQ(verdicts[0].rejected, "");
  EXPECT_EQ(verdicts[1].rejected, "crash: signal 4 (Illegal instruction)");
  EXPECT_EQ(verdicts[2].rejected, "");
  EXPECT_TRUE(verdicts[3].rejected.starts_with("gate: ")) << verdicts[3].rejected;
  EXPECT_TRUE(verdicts[4].rejected.starts_with("hang: ")) << verdicts[4].rejected;
  EXPECT_EQ(verdicts[5].rejected, "");
}

TEST_P(Gate, NothingIsComparedWithADefaultThatCrashes) {
  replace_code(by_default, kTrap);
  const Kernel other = compile("unroll=2");
  const std::vector<Verdict> verdicts = pass({{&other, true}});
  ASSERT_EQ(verdicts.size(), 2u);
  EXPECT_TRUE(verdicts[0].rejected.starts_with("crash: "));
  EXPECT_NE(verdicts[1].rejected, "");
}

INSTANTIATE_TEST_SUITE_P(Problems, Gate,
                         ::testing::Values("layer_norm rows=1..64 cols=100", "softmax x=bf16",
                                           "batch_norm_train batch=4 channel=3 space=70", "rms_norm rows=100000 cols=768 x=bf16"));

/// Other lanes give other bits: what a schedule must not do unsaid, and may when the search is open to it.
TEST(GateBits, OtherNumericsAreNotTheDefaults) {
  const Problem problem = parse_problem("layer_norm rows=1..64 cols=1000");
  const SweepPlan plan = make_sweep_plan(problem);
  const Backend &backend = backend_for(host_target());
  const Schedule base = backend.default_schedule(plan, host_target());
  const Kernel first = backend.compile(plan, base, host_target(), "kernel"),
               other = backend.compile(plan, parse_schedule("lanes=16", backend.knobs(), base), host_target(), "kernel");
  const std::vector<Entrant> entrants{{&first, true}, {&other, true}, {&other, false}};
  const std::vector<Verdict> verdicts = pass_gate(plan.problem, entrants, 5, nullptr);
  ASSERT_EQ(verdicts.size(), 3u);
  EXPECT_NE(verdicts[1].rejected.find("its bits are not those of the default"), std::string::npos) << verdicts[1].rejected;
  EXPECT_EQ(verdicts[2].rejected, "");
}

} // namespace
} // namespace normforge::testing
