// Images of kernels: linked by no linker, so they are compared with what one would do: the same bytes of code, and constants found from
// wherever the image is copied to.
#include "codegen/image.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "codegen/backend.h"
#include "codegen/kernel_file.h"
#include "dsl/error.h"

namespace normforge {
namespace {

Kernel compile(const std::string &problem, const Target &target) {
  const SweepPlan plan = make_sweep_plan(parse_problem(problem));
  const Backend &backend = backend_for(target);
  return backend.compile(plan, backend.default_schedule(plan, target), target, "kernel");
}

TEST(Image, StepsStartApartWithinIt) {
  for (const char *name : {"x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    const Kernel kernel = compile("batch_norm_train x=bf16", find_target(name));
    ASSERT_FALSE(kernel.steps.empty());
    for (const Step &step : kernel.steps) {
      EXPECT_GE(step.entry, 0);
      EXPECT_LT(size_t(step.entry), kernel.image.size());
      EXPECT_EQ(std::ranges::count(kernel.steps, step.entry, &Step::entry), 1);
    }
  }
}

// The kernel runs from two places at once, neither of which it was made for.
TEST(Image, RunsFromAnywhere) {
  const Kernel kernel = compile("softmax rows=1 cols=37", find_target("x86-64-v2"));
  float x[37], first[37], second[37];
  for (int i = 0; i < 37; ++i)
    x[i] = float(i) / 8;
  for (float *y : {first, second}) {
    void *memory = mmap(nullptr, kernel.image.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    std::memcpy(memory, kernel.image.data(), kernel.image.size());
    ASSERT_EQ(mprotect(memory, kernel.image.size(), PROT_READ | PROT_EXEC), 0);
    nf_kernel_args args{};
    const Problem problem = parse_problem(kernel.problem);
    for (const char *name : {"x", "y"}) {
      const int tensor = problem.norm->program.tensor_named(name);
      args.tensors[tensor] = *name == 'x' ? x : y;
      args.strides[tensor][0] = 37;
      args.strides[tensor][1] = 1;
    }
    args.extents[0] = 1;
    args.extents[1] = 37;
    for (const Step &step : kernel.steps)
      reinterpret_cast<nf_kernel_fn>(static_cast<char *>(memory) + step.entry)(&args, 0, 1);
  }
  double sum = 0;
  for (float y : first)
    sum += y;
  EXPECT_NEAR(sum, 1, 1e-6);
  EXPECT_EQ(std::memcmp(first, second, sizeof first), 0);
}

TEST(Image, TravelsWithItsFacts) {
  const Kernel kernel = compile("batch_norm_train x=bf16", find_target("x86-64-v3"));
  const std::string bytes = to_bytes(kernel);
  const std::optional<Kernel> read = parse_kernel(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->image, kernel.image);
  EXPECT_EQ(read->object, kernel.object);
  EXPECT_EQ(read->may_write, kernel.may_write);
  EXPECT_EQ(to_bytes(*read), bytes);
  for (size_t at = 0; at < bytes.size(); at += 97) {
    std::string damaged = bytes;
    damaged[at] ^= 1;
    EXPECT_FALSE(parse_kernel(damaged)) << at;
    EXPECT_FALSE(parse_kernel(bytes.substr(0, at))) << at;
  }
}

} // namespace
} // namespace normforge
