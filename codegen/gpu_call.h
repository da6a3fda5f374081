// A problem compiled for a GPU of this machine and called as an application would call it (CompiledCall's counterpart): the same tables,
// the same nf_cuda_call, the same checks. Tensors stand in the program's memory and are copied.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "codegen/backend.h"

namespace normforge {

/// The best target that GPU number `device` runs. Throws UserError when there is no driver, no such GPU, or it is older than every target.
const Target &gpu_target(int device);

class GpuCall {
public:
  /// Compiles for GPU number `device` and makes its context current on this thread. Throws UserError as gpu_target() does, and when
  /// `schedule` does not apply or the GPU is older than `target`.
  GpuCall(const SweepPlan &plan, const Schedule &schedule, const Target &target, int device);
  ~GpuCall();
  GpuCall(GpuCall &&) noexcept;
  GpuCall &operator=(GpuCall &&) noexcept;

  /// What the next calls work on, copied to the GPU: extents by axis, tensors by tensor (dense, in memory order; null: absent or unwanted),
  /// scalars by scalar. Throws UserError when its memory does not hold them.
  void bind(const std::vector<int64_t> &extents, const std::vector<void *> &tensors, const std::vector<double> &scalars);

  /// Calls, waits, and copies what was written back to the tensors that are bound. Throws UserError with the reason when the runtime or the
  /// driver refuses.
  void run();

  /// Seconds that the GPU takes for so many calls, one after the other.
  double time(int calls);

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace normforge
