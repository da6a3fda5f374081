// Kernels of norms, called or changed so that they do what a GPU leaves undefined: the emulator stops them and says where.
#include <cstdlib>

#include <gtest/gtest.h>

#include "codegen/backend.h"
#include "codegen/check/guarded.h"
#include "codegen/emulator.h"
#include "codegen/loader.h"

namespace normforge {
namespace {

/// rms_norm with rows of `cols` elements, called on x and y.
struct Call {
  static constexpr int64_t kRows = 4;
  const int64_t cols;
  const Problem problem;
  const SweepPlan plan = make_sweep_plan(problem);
  const Kernel kernel;
  const LoadedKernel loaded{kernel};
  const size_t bytes = size_t(kRows * cols) * sizeof(float);
  Guarded x{bytes + 64}, y{bytes + 64}; // so that an access a little past the end is the emulator's to find
  nf_kernel_args args{};

  Call(int64_t cols, const std::string &schedule)
      : cols(cols), problem(parse_problem("rms_norm rows=4 cols=" + std::to_string(cols) + " x=f32 gamma=none outputs=y")),
        kernel(compile(schedule)) {
    for (size_t i = 0; i < bytes / sizeof(float); ++i)
      reinterpret_cast<float *>(x.data())[i] = float(i % 7);
    args.tensors[0] = x.data();
    args.tensors[problem.norm->program.tensor_named("y")] = y.data();
    args.extents[0] = kRows, args.extents[1] = cols;
    for (auto &strides : args.strides)
      strides[0] = cols, strides[1] = 1;
    args.scalars[0] = 1e-5;
  }

  std::string run(int64_t rows = kRows) {
    loaded.steps().front().run(&args, 0, rows);
    return take_emulator_fault();
  }

  /// What is said without the first meeting of a kind that is reached.
  std::string run_without(const std::string &kind) {
    take_meeting_points();
    EXPECT_EQ(run(), "");
    for (const MeetingPoint &point : take_meeting_points())
      if (point.reached && point.kind == kind) {
        leave_out(point);
        const std::string fault = run();
        leave_out(std::nullopt);
        return fault;
      }
    return "none is reached";
  }

private:
  Kernel compile(const std::string &schedule) const {
    const Target &gpu = find_target("sm_90");
    const Backend &cuda = backend_for(gpu);
    return compile_for_emulator(plan, parse_schedule(schedule, cuda.knobs(), cuda.default_schedule(plan, gpu)), gpu, "kernel");
  }
};

constexpr char kWarps[] = "lanes=256 chunk=1024 fold=low | threads=64 rows=2 blocks=8 vector=4 keep=reread";

TEST(EmulatedFault, RightCallsHaveNone) {
  EXPECT_EQ(Call(256, kWarps).run(), "");
  EXPECT_EQ(Call(250, kWarps).run(), "");
}

TEST(EmulatedFault, RowsThatDoNotExist) {
  Call call(256, kWarps);
  EXPECT_EQ(call.run(6), "kernel: block 2 row 0 thread 0: reads 4 bytes that reach 4 past the end of x, which has 4096");
}

TEST(EmulatedFault, Misaligned) {
  Call call(256, kWarps);
  call.args.tensors[0] = call.x.data() + 2;
  EXPECT_EQ(call.run(), "kernel: block 0 row 0 thread 0: reads 4 bytes at 0 of x, an address that is no multiple of 4");
}

TEST(EmulatedFault, NullPointer) {
  Call call(256, kWarps);
  call.args.tensors[0] = nullptr;
  EXPECT_EQ(call.run(), "kernel: block 0 row 0 thread 0: reads 4 bytes at address 0x0, where the call has no memory");
}

TEST(EmulatedFault, AnOutputThatOverlapsAnInput) {
  Call call(256, kWarps);
  call.args.tensors[call.problem.norm->program.tensor_named("y")] = call.x.data() + 16;
  EXPECT_EQ(call.run(), "kernel: block 0 row 0 thread 0: writes 4 bytes at 16 of x, which is an input");
}

TEST(EmulatedFault, WithoutABarrierSharedMemoryIsReadTooEarly) {
  const std::string fault = Call(256, kWarps).run_without("barrier");
  EXPECT_TRUE(fault.starts_with("kernel: block 0 row 0 thread 0: reads") &&
              fault.find("of shared memory, which no thread has written") != fault.npos)
      << fault;
}

} // namespace
} // namespace normforge
