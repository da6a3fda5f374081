// Calls that are split over threads: each item once, steps in order, whoever brings the threads and however many callers there are. Also
// built with ThreadSanitizer, to which an item done twice, or a step that starts early, is a race.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <set>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vector>

#include "tests/runtime/sample.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NORMFORGE_THREAD_SANITIZER
#endif
#endif

namespace normforge::testing {
namespace {

double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

/// Waits until *counter has come to `value`; false after ten seconds.
bool await(const int *counter, int value) {
  for (const double end = now() + 10; __atomic_load_n(counter, __ATOMIC_SEQ_CST) < value; sched_yield())
    if (now() > end)
      return false;
  return true;
}

/// Two steps over x[items] -> y[items], z[items]: y[i] += x[i] + 1; then z[i] += y[n - 1 - i], which another block wrote.
void first_step(const nf_kernel_args *args, int64_t begin, int64_t end) {
  const auto *x = static_cast<const float *>(args->tensors[0]);
  auto *y = static_cast<float *>(args->tensors[1]);
  for (int64_t i = begin; i < end; ++i)
    y[i] += x[i] + 1;
}
void second_step(const nf_kernel_args *args, int64_t begin, int64_t end) {
  const auto *y = static_cast<const float *>(args->tensors[1]);
  auto *z = static_cast<float *>(args->tensors[2]);
  for (int64_t i = begin; i < end; ++i)
    z[i] += y[args->extents[0] - 1 - i];
}

class Work {
public:
  explicit Work(int64_t items) : x(size_t(items)), y(size_t(items)), z(size_t(items)) {
    for (int64_t i = 0; i < items; ++i)
      x[size_t(i)] = float(i % 1000);
    sample.add_axis("items", items);
    sample.add_tensor("x", NF_INPUT, NF_F32, {0}, x.data());
    sample.add_tensor("y", NF_OUTPUT, NF_F32, {0}, y.data());
    sample.add_tensor("z", NF_OUTPUT, NF_F32, {0}, z.data());
    nf_kernel &kernel = sample.add_kernel("work", first_step, count);
    kernel.step = steps;
    kernel.steps = 2;
    kernel.grain_bytes = 1;
  }

  /// Runs once more and counts what is not as it should be after so many runs.
  int wrong(const nf_options &options) {
    if (sample.call(&options) != NF_OK)
      return -1;
    ++runs;
    int count = 0;
    const size_t n = x.size();
    for (size_t i = 0; i < n; ++i) {
      count += y[i] != float(runs) * (x[i] + 1);
      count += z[i] != float(runs * (runs + 1) / 2) * (x[n - 1 - i] + 1);
    }
    return count;
  }

  Sample sample;

private:
  nf_count count{.outer = 0, .tiled = 1, .tile = 1, .times = 1};
  nf_step steps[2] = {{first_step, count, 0}, {second_step, count, 0}};
  std::vector<float> x, y, z;
  int runs = 0;
};

TEST(Threads, EachItemOnceAndStepsInOrder) {
  for (const int64_t items : {1, 2, 3, 7, 1000, 4099}) {
    Work work(items);
    for (const int32_t threads : {0, 1, 2, 3, 8, 33, 1000000})
      for (int repeat = 0; repeat < 5; ++repeat)
        ASSERT_EQ(work.wrong({.threads = threads}), 0) << items << " items, " << threads << " threads";
  }
}

/// Each of `width` tasks waits for the others, so that they end only if as many threads take part.
int arrived;
int late;
void meet(const nf_kernel_args *args, int64_t begin, int64_t) {
  __atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
  if (!await(&arrived, int(args->extents[0])))
    __atomic_add_fetch(&late, 1, __ATOMIC_SEQ_CST);
  static_cast<float *>(args->tensors[0])[begin] = float(gettid());
}

TEST(Threads, TakePartAfterASpinAndAfterSleep) {
  for (const int64_t width : {2, 5}) {
    std::vector<float> ids(static_cast<size_t>(width));
    Sample sample;
    sample.add_axis("items", width);
    sample.add_tensor("y", NF_OUTPUT, NF_F32, {0}, ids.data());
    sample.add_kernel("meet", meet, {.outer = 1, .tiled = 0, .tile = 1, .times = 1}).grain_bytes = 1;
    const nf_options options{.threads = int32_t(width)};
    for (const int pause_ms : {0, 0, 100}) {
      usleep(useconds_t(pause_ms) * 1000);
      arrived = late = 0;
      ASSERT_EQ(sample.call(&options), NF_OK);
      EXPECT_EQ(late, 0);
      EXPECT_EQ(std::set<float>(ids.begin(), ids.end()).size(), size_t(width));
    }
  }
}

void *call_many(void *failures) {
  Work work(517);
  for (int i = 0; i < 100; ++i)
    if (work.wrong({.threads = i % 5}) != 0)
      ++*static_cast<int *>(failures);
  return nullptr;
}

TEST(Threads, ManyCallersAtOnce) {
  pthread_t callers[8];
  int failures[8] = {};
  for (int i = 0; i < 8; ++i)
    ASSERT_EQ(pthread_create(&callers[i], nullptr, call_many, &failures[i]), 0);
  for (int i = 0; i < 8; ++i) {
    pthread_join(callers[i], nullptr);
    EXPECT_EQ(failures[i], 0);
  }
}

/// A kernel that calls the library itself: the pool is taken, so the inner call must do without.
int inner_wrong;
void call_inside(const nf_kernel_args *, int64_t, int64_t) {
  Work work(64);
  __atomic_add_fetch(&inner_wrong, work.wrong({.threads = 4}), __ATOMIC_SEQ_CST);
}

TEST(Threads, ACallThatFindsThePoolTakenDoesWithout) {
  float ys[4];
  Sample sample;
  sample.add_axis("items", 4);
  sample.add_tensor("y", NF_OUTPUT, NF_F32, {0}, ys);
  sample.add_kernel("inside", call_inside, {.outer = 1, .tiled = 0, .tile = 1, .times = 1}).grain_bytes = 1;
  const nf_options options{.threads = 4};
  inner_wrong = 0;
  ASSERT_EQ(sample.call(&options), NF_OK);
  EXPECT_EQ(inner_wrong, 0);
}

void backwards(void *context, int32_t tasks, void (*task)(void *, int32_t), void *task_context) {
  *static_cast<int *>(context) = tasks;
  for (int32_t i = tasks - 1; i >= 0; --i)
    task(task_context, i);
}

TEST(Threads, TheCallersOwn) {
  Work work(100);
  int tasks = 0;
  for (const int32_t threads : {2, 7, 100, 200}) {
    EXPECT_EQ(work.wrong({.threads = threads, .parallel_for = backwards, .context = &tasks}), 0);
    EXPECT_EQ(tasks, std::min(threads, 100));
  }
  tasks = 0;
  EXPECT_EQ(work.wrong({.threads = 1, .parallel_for = backwards, .context = &tasks}), 0);
  EXPECT_EQ(tasks, 0);
}

TEST(Threads, AsManyAsTheWorkIsWorth) {
  Sample sample;
  std::vector<float> xs(1000), ys(1000);
  sample.add_axis("items", 1000);
  sample.add_tensor("x", NF_INPUT, NF_F32, {0}, xs.data());
  sample.add_tensor("y", NF_OUTPUT, NF_F32, {0}, ys.data()); // 8000 bytes in all
  nf_step step{first_step, {.outer = 1, .tiled = 0, .tile = 1, .times = 1}, 0};
  nf_kernel &kernel = sample.add_kernel("kernel", first_step, step.items);
  kernel.step = &step;
  const nf_options options{.threads = 6};
  const struct {
    int64_t grain, item_bytes;
    int32_t threads;
  } cases[] = {
      {8001, 0, 1}, {4001, 0, 1}, {4000, 0, 2}, {2000, 0, 4}, {1, 0, 6}, {0, 0, 1}, {2000, 1, 1}, {2000, 6, 3}, {2000, INT64_MAX / 2, 6}};
  for (const auto &[grain, item_bytes, threads] : cases) {
    kernel.grain_bytes = grain;
    step.item_bytes = item_bytes;
    EXPECT_EQ(sample.which(&options).threads, threads) << grain << " " << item_bytes;
  }
  kernel.grain_bytes = 1;
  step.item_bytes = 0;
  step.items = {.outer = 0, .tiled = 1, .tile = 400, .times = 1};
  EXPECT_EQ(sample.which(&options).threads, 3);
  step.items.times = 2;
  EXPECT_EQ(sample.which(&options).threads, 6);
  step.items = {.outer = 0, .tiled = 1, .tile = 1, .times = 1};
  EXPECT_EQ(nf_set_threads(5), NF_OK);
  EXPECT_EQ(sample.which().threads, 5);
  EXPECT_EQ(nf_set_threads(0), NF_OK);
  cpu_set_t set;
  ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  EXPECT_EQ(sample.which().threads, CPU_COUNT(&set));
}

int unblocked;
pthread_t calling_thread;
void look_at_signals(const nf_kernel_args *args, int64_t begin, int64_t end) {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  if (!pthread_equal(pthread_self(), calling_thread) && !sigismember(&mask, SIGINT))
    __atomic_add_fetch(&unblocked, 1, __ATOMIC_SEQ_CST);
  meet(args, begin, end);
}

TEST(Threads, SignalsAreTheApplications) {
  float ys[3];
  Sample sample;
  sample.add_axis("items", 3);
  sample.add_tensor("y", NF_OUTPUT, NF_F32, {0}, ys);
  sample.add_kernel("signals", look_at_signals, {.outer = 1, .tiled = 0, .tile = 1, .times = 1}).grain_bytes = 1;
  const nf_options options{.threads = 3};
  calling_thread = pthread_self();
  arrived = late = unblocked = 0;
  ASSERT_EQ(sample.call(&options), NF_OK);
  EXPECT_EQ(late, 0);
  EXPECT_EQ(unblocked, 0);
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_FALSE(sigismember(&mask, SIGINT));
}

#ifndef NORMFORGE_THREAD_SANITIZER // which does not follow a fork of a process with threads
TEST(Threads, AChildHasAPoolOfItsOwn) {
  Work work(1000);
  ASSERT_EQ(work.wrong({.threads = 3}), 0);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    int bad = work.wrong({.threads = 3});
    arrived = late = 0;
    float ys[3];
    Sample sample;
    sample.add_axis("items", 3);
    sample.add_tensor("y", NF_OUTPUT, NF_F32, {0}, ys);
    sample.add_kernel("meet", meet, {.outer = 1, .tiled = 0, .tile = 1, .times = 1}).grain_bytes = 1;
    const nf_options options{.threads = 3};
    bad += sample.call(&options) != NF_OK || late;
    _exit(bad != 0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(work.wrong({.threads = 3}), 0);
}
#endif

} // namespace
} // namespace normforge::testing
