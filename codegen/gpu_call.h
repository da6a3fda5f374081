// A problem compiled for a GPU of this machine and called as an application would call it (CompiledCall's counterpart): the same tables,
// the same nf_cuda_call, the same checks. Its tensors lie in the GPU's memory, or in the program's and are copied.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "codegen/backend.h"
#include "codegen/gpu.h"

namespace normforge {

class GpuCall {
public:
  /// Compiles for GPU number `device` and makes its context current on this thread. Throws UserError as gpu_facts() does, and when
  /// `schedule` does not apply or the GPU is older than `target`.
  GpuCall(const SweepPlan &plan, const Schedule &schedule, const Target &target, int device)
      : GpuCall(plan.problem, target, backend_for(target).compile(plan, schedule, target, "kernel"), device) {}
  /// What was compiled from `problem` for `target`.
  GpuCall(const Problem &problem, const Target &target, const Kernel &kernel, int device);
  ~GpuCall();
  GpuCall(GpuCall &&) noexcept;
  GpuCall &operator=(GpuCall &&) noexcept;

  /// What the next calls work on, copied to the GPU: extents by axis, tensors by tensor (dense, in memory order; null: absent or unwanted),
  /// scalars by scalar. Throws UserError when its memory does not hold them.
  void bind(const std::vector<int64_t> &extents, const std::vector<void *> &tensors, const std::vector<double> &scalars);

  /// Calls, waits, and copies what was written back to the tensors that are bound. Throws UserError with the reason when the runtime
  /// refuses, GpuFault when the driver does.
  void run();

  /// What the next calls work on, in the GPU's memory: addresses by tensor (0: absent), strides by tensor and axis of the norm (empty: all
  /// dense).
  void place(const std::vector<int64_t> &extents, const std::vector<uint64_t> &addresses, const std::vector<std::vector<int64_t>> &strides,
             const std::vector<double> &scalars);

  /// Other tensors, otherwise as they were placed.
  void move(const std::vector<uint64_t> &addresses);

  /// Starts a call on a stream (null: the default one) and does not wait for it. Throws as run() does.
  void enqueue(void *stream = nullptr) const;

  /// Seconds that the GPU takes for so many calls, one after the other.
  double time(int calls);

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace normforge
