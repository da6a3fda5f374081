// The hand-written kernels are a yardstick only while they are right: each against the definition in f64, tails and odd numbers of rows
// too.
#include <gtest/gtest.h>

#include <cstring>

#include "bench/workload.h"
#include "runtime/cpu.h"

namespace {

using namespace bench;

std::vector<hand::Kernel> runnable() {
  std::vector<hand::Kernel> kernels;
  for (auto [level, all] : {std::pair(3, hand::avx2_kernels()), std::pair(4, hand::avx512_kernels())})
    if (level <= nf_cpu_level())
      kernels.insert(kernels.end(), all.begin(), all.end());
  return kernels;
}

TEST(Hand, EveryKernelMeetsTheDefinition) {
  for (hand::Norm norm : {hand::Norm::layer_norm, hand::Norm::rms_norm, hand::Norm::softmax})
    for (hand::Element element : {hand::Element::f32, hand::Element::bf16})
      for (Shape shape : {Shape{1, 768}, {7, 384}, {9, 3}, {6, 37}, {5, 1063}}) {
        const Workload work(norm, element, shape);
        for (const hand::Kernel &kernel : runnable()) {
          if (kernel.norm != norm || kernel.element != element || (kernel.stream && shape.cols % 32))
            continue;
          work.poison();
          run_rows(kernel, work, 1);
          EXPECT_LE(work.error(), work.tolerance())
              << name(norm) << " " << name(element) << " " << name(shape) << " level " << kernel.level << ": " << hand::name(kernel);
        }
      }
}

TEST(Hand, TwoThreadsDoEveryRow) {
  const Workload work(hand::Norm::layer_norm, hand::Element::f32, {37, 4096});
  for (const hand::Kernel &kernel : runnable())
    if (kernel.norm == work.norm && kernel.element == work.element)
      for (int again = 0; again < 50; ++again) {
        work.poison();
        run_rows(kernel, work, 2);
        ASSERT_LE(work.error(), work.tolerance()) << hand::name(kernel);
      }
}

TEST(Hand, CopiesAreCopies) {
  const Workload work(hand::Norm::softmax, hand::Element::bf16, {3, 1024});
  for (auto [level, all] : {std::pair(3, hand::avx2_copies()), std::pair(4, hand::avx512_copies())})
    for (const hand::Copy &copy : all)
      if (level <= nf_cpu_level()) {
        work.poison();
        run_copy(copy, work, 1);
        EXPECT_EQ(std::memcmp(work.x(), work.y(), size_t(work.bytes())), 0);
      }
}

TEST(Workload, AWrongResultShows) {
  const Workload work(hand::Norm::layer_norm, hand::Element::f32, {4, 64});
  for (const hand::Kernel &kernel : runnable())
    if (kernel.norm == work.norm && kernel.element == work.element && kernel.plain())
      run_rows(kernel, work, 1);
  static_cast<float *>(work.y())[3 * 64 + 63] += 1e-3f;
  EXPECT_GT(work.error(), work.tolerance());
  work.poison();
  EXPECT_FALSE(work.error() <= work.tolerance());
}

} // namespace
