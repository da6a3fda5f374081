// Threads of any number share a row: the bits are those of a power of two of them, and of the x86 kernel with the same numerics half, in
// every order of threads, on aligned memory and not, apart and in place, and with rows that are not finite.
#include <algorithm>
#include <limits>
#include <sstream>

#include <gtest/gtest.h>

#include "codegen/check/kernel_call.h"
#include "codegen/emulator.h"
#include "dsl/error.h"
#include "tests/conformance/cases.h"

namespace normforge::testing {
namespace {

/// A problem of fixed extents, with what it is run on.
struct Subject {
  explicit Subject(const Problem &fixed) : problem(fixed), plan(make_sweep_plan(problem)) {
    for (const Extent &extent : problem.extents)
      extents.push_back(extent.lo);
    inputs = make_inputs(problem, extents, {.seed = 5, .mean = -9});
  }

  const Problem problem;
  const SweepPlan plan;
  std::vector<int64_t> extents;
  ReferenceInputs inputs;
};

constexpr int kLanesOfCpu = 128; ///< that the x86 backend serves

const Target &gpu() { return find_target("sm_90"); }

/// The bits of all ways to run a schedule, which must be the same.
std::string emulated_bits(const Subject &subject, const Schedule &schedule) {
  SCOPED_TRACE(to_text(subject.problem) + " / " + to_text(schedule, backend_for(gpu()).knobs()));
  const Kernel kernel = compile_for_emulator(subject.plan, schedule, gpu(), "kernel");
  const LoadedKernel loaded(kernel);
  // What a ragged row leaves unwritten is, in place, the input.
  const bool ragged = std::ranges::any_of(subject.problem.norm->program.axes, [](const Axis &axis) { return axis.length >= 0; });
  std::string first;
  for (int64_t offset : {0, 1, 2}) {
    set_emulated_order(uint64_t(offset));
    KernelCall call(offset && !ragged ? in_place(subject.problem) : subject.problem, subject.extents, subject.inputs,
                    {.side = Guarded::at_start, .offset = offset});
    call.run(kernel, loaded);
    EXPECT_EQ(take_emulator_fault(), "");
    if (first.empty())
      first = call.output_bits();
    EXPECT_TRUE(first == call.output_bits()) << offset << " elements off alignment";
  }
  return first;
}

std::string x86_bits(const Subject &subject, const Numerics &numerics) {
  const Target &cpu = host_target();
  const Backend &x86 = backend_for(cpu);
  const Kernel kernel = x86.compile(subject.plan, {numerics, x86.default_schedule(subject.plan, cpu).mapping}, cpu, "kernel");
  const LoadedKernel loaded(kernel);
  KernelCall call(subject.problem, subject.extents, subject.inputs);
  call.run(kernel, loaded);
  return call.output_bits();
}

/// Mappings that share a numerics half give the same bits, in a row that is finite, one with a NaN and one with -inf. The first one's
/// threads have a place for each lane, or else x86 does the same.
void expect_same_bits(const std::string &problem, const std::string &numerics, const std::vector<std::string> &mappings) {
  Subject subject(parse_problem(problem));
  ReferenceArray &x = subject.inputs.tensors.at("x");
  const auto run = size_t(x.extents.back());
  x.values[run - 1] = std::numeric_limits<double>::quiet_NaN();
  x.values[2 * run - 1] = -std::numeric_limits<double>::infinity();
  std::string common;
  for (const std::string &mapping : mappings) {
    const Schedule schedule = schedule_for(subject.plan, gpu(), numerics + " " + mapping);
    if (common.empty())
      common = schedule.numerics.lanes <= kLanesOfCpu ? x86_bits(subject, schedule.numerics) : emulated_bits(subject, schedule);
    EXPECT_TRUE(common == emulated_bits(subject, schedule)) << problem << " / " << numerics << " " << mapping << ": other bits";
  }
}

TEST(Threads, OfAnyNumberGiveTheBitsOfX86) {
  for (const std::string numerics : {"lanes=128 chunk=128", "lanes=128 chunk=128 fold=high", "chunked lanes=128 chunk=128"}) {
    expect_same_bits("layer_norm rows=3 cols=90 x=f32", numerics,
                     {"threads=96 vector=4 rows=1", "threads=96 vector=4 rows=2 keep=reread", "threads=32 vector=4 rows=1"});
    expect_same_bits("layer_norm rows=3 cols=75 x=bf16", numerics, {"threads=96 vector=2 rows=1", "threads=8 vector=4 rows=4"});
  }
  expect_same_bits("softmax rows=3 cols=90 x=f32", "lanes=128 chunk=128 fma=on", {"threads=96 vector=4 rows=1"});
  expect_same_bits("rms_norm_quant rows=3 cols=90", "lanes=128 chunk=128", {"threads=96 vector=1 rows=1", "threads=4 vector=4 rows=8"});
}

TEST(Threads, OfAnyNumberShareARow) {
  for (const std::string fold : {" fold=low", " fold=high"}) {
    expect_same_bits("layer_norm rows=3 cols=300 x=f32", "lanes=512 chunk=512" + fold,
                     {"threads=128 vector=16 rows=1", "threads=96 vector=4 rows=1", "threads=160 vector=8 rows=1",
                      "threads=96 vector=16 rows=2 keep=shared", "threads=64 vector=4 rows=1 keep=reread"});
    expect_same_bits("softmax rows=5 cols=777 x=f32", "lanes=1024 chunk=1024 fma=on" + fold,
                     {"threads=256 vector=16 rows=1", "threads=160 vector=8 rows=1", "threads=288 vector=4 rows=1 keep=reread"});
  }
  expect_same_bits("layer_norm rows=2 cols=180 x=f64", "lanes=256 chunk=256",
                   {"threads=128 vector=16 rows=1", "threads=96 vector=16 rows=1"});
}

TEST(Threads, OfFewerGroupsThanLanesHaveNoMore) {
  expect_same_bits("layer_norm rows=5 cols=300 x=f32", "lanes=512 chunk=512",
                   {"threads=128 vector=16 rows=1", "threads=32 vector=8 rows=1", "threads=16 vector=16 rows=1",
                    "threads=16 vector=4 rows=4 keep=registers"});
  expect_same_bits("rms_norm_quant rows=3 cols=700", "lanes=1024 chunk=1024",
                   {"threads=128 vector=8 rows=1", "threads=32 vector=4 rows=1 keep=reread"});
}

TEST(Threads, MergeSquaresAboutAMean) {
  expect_same_bits("layer_norm rows=3 cols=600 x=bf16", "chunked lanes=1024 chunk=1024",
                   {"threads=128 vector=16 rows=1", "threads=160 vector=4 rows=1", "threads=96 vector=4 rows=1 keep=reread"});
  expect_same_bits("layer_norm rows=3 cols=600 x=bf16", "chunked lanes=1024 chunk=1024 fold=high",
                   {"threads=128 vector=16 rows=1", "threads=160 vector=4 rows=1"});
}

TEST(Threads, LeaveSumsOfChunksAndOfParts) {
  const std::string problem = "batch_norm_train batch=7 channel=3 space=150 x=f32";
  expect_same_bits(problem, "lanes=256 chunk=256",
                   {"threads=64 vector=16 rows=1", "threads=96 vector=4 rows=1 keep=reread",
                    "threads=160 vector=4 rows=1 keep=reread split=2 blocks=1", "threads=8 vector=4 rows=1"});
}

TEST(Threads, OfClustersAndOfRowsThatAreCopiedAhead) {
  expect_same_bits("layer_norm rows=5 cols=1500 x=f32", "lanes=2048 chunk=2048",
                   {"threads=512 rows=1 vector=16", "threads=96 cluster=2 rows=1 vector=8 blocks=1",
                    "threads=96 rows=1 vector=16 grid=resident stages=2 blocks=1", "threads=192 rows=1 vector=8 grid=resident",
                    "threads=96 rows=1 vector=16 grid=resident stages=3 copy=bulk blocks=1",
                    "threads=96 cluster=2 rows=1 vector=8 grid=resident stages=2 copy=bulk blocks=1 keep=reread"});
}

/// Every norm, by the first schedules with threads that are no power of two that it may have.
TEST(Threads, ServeEveryNorm) {
  const Shape shape{"odd", 3, 170, 2, 3, 170, 2, 2, 150};
  const Backend &cuda = backend_for(gpu());
  int served = 0;
  for (size_t number = 0; number < catalogue().size(); ++number) {
    const NormRef &norm = catalogue()[number];
    const Subject subject(fixed(problem_of(norm, mixes()[number % mixes().size()]), shape.of(*norm)));
    const Schedule neutral = cuda.default_schedule(subject.plan, gpu());
    for (const std::string mapping :
         {"threads=96 rows=2 blocks=1 keep=reread vector=4", "threads=96 rows=2 blocks=1 vector=2",
          "threads=192 rows=1 blocks=1 keep=reread vector=1", "threads=192 rows=1 blocks=1 keep=reread vector=8"})
      if (const Schedule schedule = parse_schedule(mapping, cuda.knobs(), neutral); !cuda.inapplicable(subject.plan, schedule, gpu())) {
        ++served;
        EXPECT_TRUE(emulated_bits(subject, neutral) == emulated_bits(subject, schedule)) << norm->program.name << " / " << mapping;
        break;
      }
  }
  EXPECT_GE(served, 10);
}

/// The remedies of a refusal, each tried by itself.
TEST(Threads, ThatCannotShareAreToldWhatCan) {
  const std::pair<const char *, const char *> kRefused[] = {
      {"layer_norm rows=8192 cols=1536 x=bf16 y=bf16", "threads=192"},
      {"layer_norm rows=8192 cols=1536 x=bf16 y=bf16", "lanes=2048 threads=160"},
      {"layer_norm rows=8192 cols=4096 x=f32", "threads=96"},
      {"layer_norm rows=32 cols=5120 x=bf16", "threads=640"},
      {"rms_norm rows=1 x=bf16", "threads=320"},
      {"softmax rows=8 cols=1000 x=f32", "threads=768 cluster=2"},
  };
  for (const auto &[problem, text] : kRefused) {
    SCOPED_TRACE(std::string(problem) + " / " + text);
    const SweepPlan plan = make_sweep_plan(parse_problem(problem));
    std::string said;
    try {
      schedule_for(plan, gpu(), text);
    } catch (const UserError &error) {
      said = error.what();
    }
    const size_t use = said.find("; use ");
    ASSERT_NE(use, said.npos) << said;
    std::istringstream remedies(said.substr(use + 6));
    for (std::string word; remedies >> word;)
      if (word.find('=') != word.npos) {
        word = word.substr(0, word.find(','));
        const std::string knob = word.substr(0, word.find('='));
        std::string changed;
        std::istringstream words(text);
        for (std::string each; words >> each;)
          changed += each.starts_with(knob + "=") ? "" : each + " ";
        EXPECT_NO_THROW(schedule_for(plan, gpu(), changed + word)) << said << ": " << word;
      }
  }
}

} // namespace
} // namespace normforge::testing
