// A GPU of this machine, through its driver: what it is, its memory, its clock. Nothing here touches the driver before it is asked
// something, so that a process may fork first: a child of one that uses the driver cannot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "codegen/target.h"
#include "dsl/error.h"

namespace normforge {

/// This machine has no driver, too old a one, or no GPU.
class NoGpu : public UserError {
public:
  using UserError::UserError;
};

/// The driver refused to run something, or a kernel did what it may not: no more can be done in this context.
class GpuFault : public UserError {
public:
  using UserError::UserError;
};

/// A status that the runtime's part for GPUs returned just now, in words: with the driver's number and text where it is the driver's.
std::string text_of_driver_status(int32_t status);

struct GpuFacts {
  std::string name;     ///< as the driver says it: "NVIDIA H100 80GB HBM3"
  int capability = 0;   ///< ten times the compute capability
  int64_t l2_bytes = 0; ///< second-level cache
  int multiprocessors = 0;
  int clock_mhz = 0; ///< highest clock of the multiprocessors
  int driver = 0;    ///< version of CUDA that the driver knows: 13000 is 13.0
};

/// Throws NoGpu, and UserError when there is no GPU of that number.
GpuFacts gpu_facts(int device);

/// The best target that GPU number `device` runs. Throws UserError as gpu_facts() does, and when the GPU is older than every target.
const Target &gpu_target(int device);

/// Makes that GPU's context current on this thread, for all that follows. Throws as gpu_facts() does.
void use_gpu(int device);

/// Waits for all that the GPU has to do. Throws GpuFault when some of it failed.
void wait_for_gpu();

/// Memory of the GPU that is in use.
class GpuMemory {
public:
  GpuMemory() = default;
  /// Throws UserError when there is not so much left.
  explicit GpuMemory(size_t bytes);
  ~GpuMemory();
  GpuMemory(GpuMemory &&other) noexcept;
  GpuMemory &operator=(GpuMemory &&other) noexcept;

  uint64_t address() const { return start; }

private:
  uint64_t start = 0;
};

/// Between this process's memory and the GPU's, by address there; they have ended when they return. Throw GpuFault.
void copy_to_gpu(uint64_t to, const void *from, size_t bytes);
void copy_from_gpu(void *to, uint64_t from, size_t bytes);
/// In the GPU's memory; in its turn among launches.
void copy_on_gpu(uint64_t to, uint64_t from, size_t bytes);
void fill_on_gpu(uint64_t to, unsigned char byte, size_t bytes);

/// Measures the time that the GPU takes for launches, one after the other. They are recorded as a CUDA graph that starts as a whole, with
/// the points in time between which they lie: a host launches once in microseconds, which is as long as a small kernel takes. Where the
/// driver records no graph they are launched one by one.
class GpuTimer {
public:
  GpuTimer();
  ~GpuTimer();
  GpuTimer(const GpuTimer &) = delete;

  /// Seconds that so many calls take. `enqueue(i, stream)` launches call i there, maybe more than once, and waits for nothing. Throws
  /// GpuFault when one fails.
  double seconds(int64_t calls, const std::function<void(int64_t call, void *stream)> &enqueue);

  /// Whether they are recorded.
  bool records() const { return recording; }

private:
  void *first = nullptr, *last = nullptr; ///< events
  void *stream = nullptr;                 ///< that is recorded
  bool recording = true;

  void *record(const std::function<void(void *stream)> &enqueue);
  double stretch(const std::function<void(void *stream)> &enqueue);
};

} // namespace normforge
