// Loops found in assembly written by hand, where the answer can be read off, and in what the compiler makes of a norm.
#include <gtest/gtest.h>

#include "codegen/backend.h"
#include "codegen/inner_loops.h"

namespace normforge {
namespace {

constexpr std::string_view kNested = "kernel:\n"
                                     "\txorl\t%ebx, %ebx\n"
                                     ".LBB0_1:\n" // around both
                                     "\tcmpq\t%r11, %r13\n"
                                     "\tjge\t.LBB0_1\n" // back before there is anything inside
                                     ".LBB0_2:\n"
                                     "\tvmovups\t(%rax,%rbx,4), %zmm0\n"
                                     "\tvsubps\t%zmm1, %zmm0, %zmm0\n"
                                     "\tvaddps\t64(%rcx,%rbx,4), %zmm0, %zmm2\n"
                                     "\tvmovaps\t%zmm0, 64(%rsp,%rbx,4)\n"
                                     "\tprefetcht0\t(%rdx)\n"
                                     "\tjle\t.LBB0_2\n"
                                     "\tvdivss\t%xmm1, %xmm7, %xmm5\n"
                                     ".LBB0_3:\n"
                                     "\tvmulps\t.LCPI0_1(%rip), %zmm3, %zmm3\n"
                                     "\tvmovups\t128(%rsp), %zmm4\n"
                                     "\tvmovups\t%zmm3, 3968(%rdx) {%k1}\n"
                                     "\tleaq\t(%rbx,%rbx,2), %rbx\n"
                                     "\tjle\t.LBB0_3\n"
                                     "\tjmp\t.LBB0_1\n"
                                     "\tretq\n";

TEST(InnerLoops, AreThoseWithoutALoopInside) {
  const std::vector<InnerLoop> loops = inner_loops(kNested);
  ASSERT_EQ(loops.size(), 2u);
  EXPECT_EQ(loops[0].instructions, 6);
  EXPECT_EQ(loops[0].vector, 2);
  EXPECT_EQ(loops[0].loads, 2);
  EXPECT_EQ(loops[0].stores, 0);
  EXPECT_EQ(loops[0].buffer_stores, 1);
  EXPECT_EQ(loops[0].prefetches, 1);
  EXPECT_EQ(loops[1].instructions, 5);
  EXPECT_EQ(loops[1].vector, 1);
  EXPECT_EQ(loops[1].loads, 0);
  EXPECT_EQ(loops[1].stores, 1);
  EXPECT_EQ(loops[1].buffer_loads, 1);
}

// rms_norm reads x to sum its squares, then reads x and gamma and writes y: known from the definition, whatever the compiler does.
TEST(InnerLoops, OfRmsNormReadWhatItsSweepsRead) {
  const Target &target = find_target("x86-64-v4");
  const SweepPlan plan = make_sweep_plan(parse_problem("rms_norm rows=1 cols=768 outputs=y"));
  const Backend &backend = backend_for(target);
  const Schedule schedule =
      parse_schedule("rows=1 unroll=1 keep=reread prefetch=0 split=1 vector=512", backend.knobs(), backend.default_schedule(plan, target));
  StageText stages;
  backend.compile(plan, schedule, target, "kernel", &stages);
  const std::vector<InnerLoop> loops = inner_loops(stages.assembly);
  ASSERT_EQ(loops.size(), 2u);
  EXPECT_EQ(loops[0].loads, 2); // 32 lanes of x in two registers
  EXPECT_EQ(loops[0].stores, 0);
  EXPECT_EQ(loops[1].loads, 4);
  EXPECT_EQ(loops[1].stores, 2);
  EXPECT_EQ(loops[1].buffer_loads + loops[1].buffer_stores, 0);
}

} // namespace
} // namespace normforge
