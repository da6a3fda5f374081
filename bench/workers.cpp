#include "bench/workers.h"

#include <immintrin.h>

namespace bench {
namespace {

// Waits until `value` is no longer `old`: spinning for some ten microseconds, the time between two calls of a sample, then asleep.
void wait_past(const std::atomic<uint64_t> &value, uint64_t old) {
  for (int i = 0; i < 1000; ++i) {
    if (value.load(std::memory_order_acquire) != old)
      return;
    _mm_pause();
  }
  value.wait(old, std::memory_order_acquire);
}

} // namespace

Workers::Workers() : thread([this] { work(); }) {}

Workers::~Workers() {
  stop = true;
  started.fetch_add(1, std::memory_order_release);
  started.notify_one();
  thread.join();
}

void Workers::work() {
  for (uint64_t seen = 0;; ++seen) {
    wait_past(started, seen);
    if (stop)
      return;
    for (int32_t i = 1; i < job.tasks; i += 2)
      job.task(job.context, i);
    ended.fetch_add(1, std::memory_order_release);
    ended.notify_one();
  }
}

void Workers::parallel_for(void *workers, int32_t tasks, void (*task)(void *, int32_t), void *task_context) {
  Workers &self = *static_cast<Workers *>(workers);
  if (tasks < 2) {
    for (int32_t i = 0; i < tasks; ++i)
      task(task_context, i);
    return;
  }
  self.job = {tasks, task, task_context};
  const uint64_t before = self.ended.load(std::memory_order_relaxed);
  self.started.fetch_add(1, std::memory_order_release);
  self.started.notify_one();
  for (int32_t i = 0; i < tasks; i += 2)
    task(task_context, i);
  wait_past(self.ended, before);
}

} // namespace bench
