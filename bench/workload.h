// What is measured: a norm over rows of random data, the hand-written kernels' call for it, and its result by the definition, in f64.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "bench/hand/hand.h"

namespace bench {

struct Shape {
  int64_t rows, cols;
  bool operator==(const Shape &) const = default;
};
inline constexpr Shape kShapes[] = {{1, 768}, {32, 768}, {512, 768}, {1024, 4096}, {8192, 4096}, {64, 65536}};
std::string name(const Shape &);
std::string name(hand::Norm);
std::string name(hand::Element);

struct Workload {
  Workload(hand::Norm norm, hand::Element element, Shape shape);

  hand::Norm norm;
  hand::Element element;
  Shape shape;

  int64_t bytes() const; ///< of x, and as many of y
  void *x() const { return memory[0].get(); }
  void *gamma() const { return memory[1].get(); }
  void *beta() const { return memory[2].get(); }
  void *y() const { return memory[3].get(); }
  double eps() const { return norm == hand::Norm::rms_norm ? 1e-6 : 1e-5; }
  hand::Call call() const;

  /// Fills y with NaN, so that what is not written shows.
  void poison() const;

  /// The largest error of y against the definition, relative to max(1, |y|) (softmax: to the row's largest), over a dozen rows.
  double error() const;
  double tolerance() const { return element == hand::Element::f32 ? 1e-5 : 5e-3; }

private:
  struct Free {
    void operator()(void *memory) const;
  };
  std::array<std::unique_ptr<void, Free>, 4> memory;
};

/// Rows [0, rows) on one thread or, in two halves, on two; on one, too, when a half is under 32 KiB. The threads are the pool that
/// generated kernels have.
void run_rows(const hand::Kernel &, const Workload &, int threads);
void run_copy(const hand::Copy &, const Workload &, int threads);

} // namespace bench
