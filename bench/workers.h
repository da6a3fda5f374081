// The threads of the benchmark: one persistent worker beside the calling thread, the same for generated and for hand-written kernels, so
// that what is compared is kernels and not thread pools.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace bench {

class Workers {
public:
  Workers();
  ~Workers();
  Workers(const Workers &) = delete;
  Workers &operator=(const Workers &) = delete;

  /// Runs task(task_context, i) for each i in [0, tasks): the odd ones on the worker. `workers` is a Workers: this is a nf_parallel_for.
  static void parallel_for(void *workers, int32_t tasks, void (*task)(void *task_context, int32_t index), void *task_context);

private:
  void work();

  struct Job {
    int32_t tasks = 0;
    void (*task)(void *, int32_t) = nullptr;
    void *context = nullptr;
  } job;
  std::atomic<uint64_t> started = 0, ended = 0; ///< jobs so far
  std::atomic<bool> stop = false;
  std::thread thread;
};

} // namespace bench
