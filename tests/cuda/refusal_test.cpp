// What a schedule cannot be is refused with what was got, what is expected and what to do instead; and a person who settles one knob by
// hand gets a schedule that works, since the model chooses the others beside it.
#include <regex>

#include <gtest/gtest.h>

#include "codegen/backend.h"
#include "dsl/error.h"
#include "dsl/problem.h"

namespace normforge::testing {
namespace {

struct Refusal {
  std::string problem, schedule, target, reason;
};

/// Each reason that there is.
const Refusal kRefusals[] = {
    {"softmax rows=8 cols=768", "chunked", "sm_90",
     "schedule: chunked: no sum of squares about a mean that nothing else waits for; use two_pass"},
    {"layer_norm rows=8 cols=768", "threads=1024 rows=4", "sm_90",
     "schedule: threads=1024 rows=4: a block has at most 1024 threads; use rows=1"},
    {"layer_norm rows=8 cols=768", "threads=64 rows=16", "sm_90",
     "schedule: rows=16: of rows of 64 threads a block has barriers for 15; use rows=8 or fewer"},
    {"layer_norm rows=8 cols=2000 x=f32", "cluster=2 rows=1", "sm_89",
     "schedule: cluster=2: sm_89 has no clusters of blocks, which sm_90 and later have; use cluster=1"},
    {"layer_norm rows=8 cols=2000 x=f32", "cluster=2 rows=2 threads=32", "sm_90",
     "schedule: cluster=2 rows=2: blocks that share a row have no other; use rows=1"},
    {"layer_norm rows=8 cols=2000 x=f32", "cluster=2 rows=1 threads=16", "sm_90",
     "schedule: cluster=2 threads=16: a row's part of a block is whole warps; use 32 threads or more"},
    {"layer_norm order=cols,rows", "cluster=2 rows=1 threads=32 blocks=1", "sm_90",
     "schedule: cluster=2: no row runs along the contiguous axis; use cluster=1"},
    {"layer_norm rows=8 cols=768", "lanes=512 chunk=256", "sm_90",
     "schedule: chunk=256: not a multiple of lanes=512; use chunk=512 or longer"},
    {"layer_norm rows=8 cols=768 x=f32", "vector=2", "sm_90", "schedule: vector=2: elements have 4 bytes; use vector=4 or wider"},
    {"layer_norm rows=8 cols=4096", "threads=96 rows=1", "sm_90",
     "schedule: threads=96 vector=16: rows go over lanes=1024 more than once, which they do not divide; use threads=64"},
    {"layer_norm rows=8 cols=768 x=f32", "threads=128 cluster=2 rows=1 blocks=1 lanes=128", "sm_90",
     "schedule: threads=128 cluster=2: more than lanes=128; use fewer threads, or lanes=256"},
    {"layer_norm rows=8 cols=768 x=f32", "threads=128 rows=1 blocks=1 lanes=128", "sm_90",
     "schedule: vector=16: 128 threads of 4 elements have more than lanes=128; use vector=4 or narrower"},
    {"layer_norm_monitored rows=8 cols=8192 x=bf16",
     "chunked lanes=4096 chunk=4096 fold=high threads=512 rows=1 vector=16 keep=reread blocks=1", "sm_86",
     "schedule: threads=512 rows=1 vector=16: the sums of chunks take 98304 bytes of shared memory, of which a block has "
     "3072; use fewer lanes, a longer chunk or a narrower vector"},
    {"layer_norm rows=8 x=f32", "lanes=1024 chunk=1024 threads=1024 rows=1 vector=4 keep=reread blocks=1", "sm_86",
     "schedule: threads=1024 rows=1 vector=4: the sums of chunks take 118784 bytes of shared memory, of which a block has "
     "101120; use fewer lanes, a longer chunk or a narrower vector"},
    {"rms_norm rows=8 cols=32768 x=f32", "grid=resident stages=2 threads=512 keep=reread", "sm_90",
     "schedule: stages=2 rows=1: the rows that are copied ahead take 393216 bytes of shared memory, of which a block has "
     "232192; use fewer of either"},
    {"layer_norm rows=8 cols=60000", "keep=shared", "sm_90",
     "schedule: keep=shared: a row of 245760 bytes exceeds 232192 bytes, what a block has for each of rows=1; use keep=reread"},
    {"layer_norm rows=99 cols=4096", "keep=shared rows=16 threads=32 blocks=1 vector=4 lanes=128", "sm_86",
     "schedule: keep=shared: a row of 16384 bytes exceeds 6336 bytes, what a block has for each of rows=16; use keep=reread "
     "or fewer rows"},
    {"layer_norm rows=8", "keep=registers", "sm_90", "schedule: keep=registers: the reduced extents are not fixed; use keep=reread"},
    {"batch_norm_ragged batch=4 channel=3 seq=100", "keep=registers", "sm_90",
     "schedule: keep=registers: lengths of rows vary; use keep=shared or keep=reread"},
    {"layer_norm rows=8 cols=4096", "lanes=32 threads=4 keep=shared chunk=1024", "sm_90",
     "schedule: keep=shared: a row has 128 blocks of 32 lanes, more than the 32 that are unrolled; use more lanes or keep=reread"},
    {"rms_norm rows=8 cols=4096 x=bf16", "blocks=16", "sm_90",
     "schedule: keep=registers threads=128 rows=1 blocks=16: a thread wants 64 registers, of which it may have 32; use "
     "blocks=8 or fewer"},
    {"rms_norm rows=8 cols=16384 x=bf16", "threads=32 blocks=1 rows=1", "sm_90",
     "schedule: keep=registers threads=32: a thread has 512 elements of a row, more than the 128 that are unrolled; use more threads or "
     "keep=reread"},
    {"softmax rows=8 cols=4096 x=f64", "threads=32 blocks=1 rows=1 keep=registers", "sm_90",
     "schedule: keep=registers threads=32 rows=1 blocks=1: a thread wants 536 registers, of which it may have 255; use keep=shared or "
     "keep=reread"},
    {"layer_norm rows=8 x=f32", "lanes=1024 chunk=1024 rows=8 threads=64 unroll=2 keep=reread blocks=1", "sm_86",
     "schedule: keep=reread threads=64 rows=8 blocks=1: a thread wants 144 registers, of which it may have 128; use fewer "
     "threads or rows"},
    {"softmax rows=8 cols=4096", "lanes=1024 chunk=1024 threads=4 vector=16 rows=1 unroll=4 keep=reread blocks=1", "sm_90",
     "schedule: keep=reread threads=4 rows=1 blocks=1: a thread wants 664 registers, of which it may have 255; use more "
     "threads, a narrower vector or less unroll"},
    {"layer_norm rows=8 cols=768 x=f32", "stages=2", "sm_90",
     "schedule: stages=2: a block of grid=whole has no next row; use grid=resident"},
    {"rms_norm rows=8 cols=520 x=bf16", "grid=resident stages=2 vector=2 threads=64 blocks=1", "sm_90",
     "schedule: stages=2: no rows of fixed extents that are read in 4 bytes or more at once; use stages=1"},
    {"layer_norm rows=8 cols=1000", "keep=reread split=8", "sm_90", "schedule: split=8: a row is a single chunk; use split=1"},
    {"batch_norm_infer", "split=2", "sm_90", "schedule: split=2: nothing is reduced; use split=1"},
    {"softmax_ragged rows=8", "split=2 keep=reread", "sm_90", "schedule: split=2: lengths of rows vary; use split=1"},
    {"layer_norm rows=8 cols=1000", "lanes=64 chunk=128 threads=8 vector=16 keep=registers blocks=1 split=2", "sm_90",
     "schedule: split=2: what is kept of a row does not outlast a sweep of its parts; use keep=reread, or split=1"},
    {"layer_norm rows=8 cols=1000", "lanes=64 chunk=128 threads=8 vector=16 keep=reread blocks=1 split=2 grid=resident", "sm_90",
     "schedule: split=2: rows that are few have a block for each part; use grid=whole, or split=1"},
    {"layer_norm rows=8 x=f32", "lanes=512 chunk=1024 threads=32 rows=1 cluster=2 vector=8 keep=reread blocks=1 split=2", "sm_90",
     "schedule: split=2: blocks of a cluster share whole rows; use cluster=1, or split=1"},
    {"batch_norm_infer", "keep=shared", "sm_90", "schedule: keep=shared: no sweep leaves what a later one needs; use keep=reread"},
};

TEST(Refusals, NameWhatWasGotWhatIsExpectedAndARemedy) {
  for (const Refusal &row : kRefusals) {
    SCOPED_TRACE(row.problem + " / " + row.schedule);
    const Target &target = find_target(row.target);
    const Backend &cuda = backend_for(target);
    const SweepPlan plan = make_sweep_plan(parse_problem(row.problem));
    const Schedule schedule = parse_schedule(row.schedule, cuda.knobs(), cuda.default_schedule(plan, target));
    EXPECT_EQ(cuda.inapplicable(plan, schedule, target).value_or("none"), row.reason);
    EXPECT_TRUE(std::regex_search(row.reason, std::regex("^schedule: [a-z]+(=[a-z0-9]+)?[a-z0-9= ]*: .*; use ")));
  }
}

const char *kProblems[] = {
    "rms_norm rows=8192 cols=4096 x=bf16",
    "layer_norm rows=8192 cols=64 x=f32",
    "softmax rows=1 cols=262144 x=bf16",
    "rms_norm_quant rows=32 cols=32768",
    "batch_norm_train order=batch,space,channel",
    "layer_norm x=f64",
    "batch_norm_infer",
    "softmax_ragged",
};

/// A knob that is settled at one of its values: either there is a schedule with it, or the refusal says what to do.
TEST(KnobsSettledByHand, HaveASchedule) {
  const Target &target = find_target("sm_90");
  const Backend &cuda = backend_for(target);
  for (const char *problem : kProblems) {
    const SweepPlan plan = make_sweep_plan(parse_problem(problem));
    const Schedule by_default = cuda.default_schedule(plan, target);
    for (size_t knob = 0; knob < cuda.knobs().size(); ++knob)
      for (int64_t value : cuda.knobs()[knob].values) {
        const std::string text = to_text(cuda.knobs()[knob], value);
        SCOPED_TRACE(std::string(problem) + " / " + text);
        try {
          const Schedule schedule = schedule_for(plan, target, text);
          EXPECT_EQ(schedule.mapping.values[knob], value);
          EXPECT_EQ(schedule.numerics, by_default.numerics);
          EXPECT_EQ(cuda.inapplicable(plan, schedule, target), std::nullopt);
        } catch (const UserError &error) {
          EXPECT_TRUE(std::regex_search(error.what(), std::regex("; use "))) << error.what();
          std::smatch remedy;
          const std::string said = error.what();
          if (std::regex_search(said, remedy, std::regex("\\((\\S+) would do\\)"))) {
            EXPECT_NO_THROW(schedule_for(plan, target, remedy[1].str())) << said;
          }
        }
      }
  }
}

TEST(KnobsSettledByHand, AreHeldAndTheOthersSuitThem) {
  const Target &target = find_target("sm_90");
  const auto schedule = [&](const std::string &choices) {
    const SweepPlan plan = make_sweep_plan(parse_problem("rms_norm rows=8192 cols=4096 x=bf16"));
    return to_text(schedule_for(plan, target, choices), backend_for(target).knobs());
  };
  const auto has = [&](const std::string &choices, const std::string &others) {
    return schedule(choices).find(others) != std::string::npos;
  };
  EXPECT_TRUE(has("grid=resident stages=2", "| threads=128 rows=1 vector=16 unroll=1 keep=registers blocks=5 grid=resident stages=2 "));
  EXPECT_TRUE(has("stages=3", "grid=resident stages=3"));
  EXPECT_TRUE(has("threads=256", "threads=256 rows=1 vector=8"));
  EXPECT_TRUE(has("cluster=2", "threads=64 rows=1 vector=16"));
  EXPECT_TRUE(has("rows=8", "threads=128 rows=8"));
  EXPECT_EQ(schedule(schedule("blocks=3")), schedule("blocks=3"));
}

} // namespace
} // namespace normforge::testing
