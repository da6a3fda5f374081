// A small pool of threads, made when a call first wants them.
//
// One call has the pool at a time; another that comes meanwhile runs on its own thread alone rather than wait, and gets the same bits. The
// one word `claims` holds how many tasks the current job has and how many of them are claimed. Whoever adds one to it owns that task and
// may then read the rest of the job, which cannot end, and so cannot be replaced, before that task has; a thread that comes late finds
// nothing to claim. The calling thread claims like the others, so a call ends even if no other thread ever runs.
//
// An idle thread first spins, for as long as waking it would take, then sleeps. Threads block all signals, which are the application's
// business, and are never joined: they hold nothing that a process must give back. In the child of a fork there are none, and the pool
// starts afresh.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "runtime/call.h"

namespace {

using Task = void (*)(void *context, int32_t index);

constexpr pthread_mutex_t kMutex = PTHREAD_MUTEX_INITIALIZER;
constexpr pthread_cond_t kCondition = PTHREAD_COND_INITIALIZER;
constexpr uint64_t kSpinCycles = 40000; // 10 to 20 microseconds

struct Pool {
  pthread_mutex_t lock = kMutex;     // for going to sleep and waking
  pthread_cond_t work = kCondition;  // there are tasks to claim
  pthread_cond_t ended = kCondition; // the last task has ended
  uint64_t claims = 0;               // tasks << 32 | claimed
  int32_t pending = 0;               // tasks that have not ended
  int32_t sleepers = 0;              // threads that wait for `work`
  bool caller_sleeps = false;        // waits for `ended`
  bool taken = false;                // by a call
  bool watches_fork = false;
  int32_t threads = 0; // made so far; the caller is not among them
  Task task = nullptr;
  void *context = nullptr;
};

constinit Pool pool;
int32_t thread_limit = 0; // as nf_set_threads() says

template <typename T> T load(const T &value) { return __atomic_load_n(&value, __ATOMIC_SEQ_CST); }
template <typename T> void store(T &target, T value) { __atomic_store_n(&target, value, __ATOMIC_SEQ_CST); }

int32_t count_cpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    return CPU_COUNT(&set);
  const long online = sysconf(_SC_NPROCESSORS_ONLN); // more CPUs than a cpu_set_t holds
  return online > 0 ? int32_t(online) : 1;
}

int32_t cpus() {
  static int32_t counted;
  int32_t count = __atomic_load_n(&counted, __ATOMIC_RELAXED);
  if (count == 0) {
    count = count_cpus();
    __atomic_store_n(&counted, count, __ATOMIC_RELAXED);
  }
  return count;
}

bool claimable(uint64_t claims) { return uint32_t(claims) < claims >> 32; }

/// Spins until `done` says so, or as long as it pays; not where threads outnumber CPUs, since the one waited for may want this one's.
template <typename Done> bool spin(Done done) {
  const uint64_t start = __builtin_ia32_rdtsc();
  const bool crowded = load(pool.threads) >= cpus();
  do {
    if (done())
      return true;
    __builtin_ia32_pause();
  } while (!crowded && __builtin_ia32_rdtsc() - start < kSpinCycles);
  return false;
}

/// Claims tasks and runs them until there are none.
void run_tasks() {
  uint64_t claims = load(pool.claims);
  while (claimable(claims)) {
    if (!__atomic_compare_exchange_n(&pool.claims, &claims, claims + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
      continue;
    pool.task(pool.context, int32_t(uint32_t(claims)));
    if (__atomic_sub_fetch(&pool.pending, 1, __ATOMIC_SEQ_CST) == 0 && load(pool.caller_sleeps)) {
      pthread_mutex_lock(&pool.lock);
      pthread_cond_signal(&pool.ended);
      pthread_mutex_unlock(&pool.lock);
    }
    claims = load(pool.claims);
  }
}

void *thread_main(void *) {
  for (;;) {
    if (!spin([] { return claimable(load(pool.claims)); })) {
      pthread_mutex_lock(&pool.lock);
      store(pool.sleepers, pool.sleepers + 1);
      while (!claimable(load(pool.claims)))
        pthread_cond_wait(&pool.work, &pool.lock);
      store(pool.sleepers, pool.sleepers - 1);
      pthread_mutex_unlock(&pool.lock);
    }
    run_tasks();
  }
  return nullptr;
}

void start_afresh_in_child() {
  const bool watches_fork = pool.watches_fork;
  pool = Pool{};
  pool.watches_fork = watches_fork;
}

/// Makes threads until there are `wanted`, or no more can be had. By the call that has taken the pool.
void grow(int32_t wanted) {
  if (pool.threads >= wanted)
    return;
  if (!pool.watches_fork)
    pool.watches_fork = pthread_atfork(nullptr, nullptr, start_afresh_in_child) == 0;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  while (pool.threads < wanted && pthread_create(&thread, nullptr, thread_main, nullptr) == 0) {
    pthread_detach(thread);
    store(pool.threads, pool.threads + 1);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void publish(int32_t tasks, Task task, void *context) {
  pool.task = task;
  pool.context = context;
  store(pool.pending, tasks);
  store(pool.claims, uint64_t(tasks) << 32);
  if (load(pool.sleepers) > 0) {
    pthread_mutex_lock(&pool.lock);
    for (int32_t woken = 0; woken < pool.sleepers && woken < tasks - 1; ++woken)
      pthread_cond_signal(&pool.work);
    pthread_mutex_unlock(&pool.lock);
  }
}

void wait_for_end() {
  if (spin([] { return load(pool.pending) == 0; }))
    return;
  pthread_mutex_lock(&pool.lock);
  store(pool.caller_sleeps, true);
  while (load(pool.pending) != 0)
    pthread_cond_wait(&pool.ended, &pool.lock);
  store(pool.caller_sleeps, false);
  pthread_mutex_unlock(&pool.lock);
}

} // namespace

extern "C" void nf_pool_run(int32_t tasks, Task task, void *context) {
  if (__atomic_exchange_n(&pool.taken, true, __ATOMIC_SEQ_CST)) {
    for (int32_t i = 0; i < tasks; ++i)
      task(context, i);
    return;
  }
  grow(tasks - 1);
  publish(tasks, task, context);
  run_tasks();
  wait_for_end();
  store(pool.taken, false);
}

extern "C" int32_t nf_default_threads(void) {
  const int32_t limit = __atomic_load_n(&thread_limit, __ATOMIC_RELAXED);
  return limit ? limit : cpus();
}

extern "C" nf_status nf_set_threads(int32_t threads) {
  if (threads < 0)
    return NF_BAD_OPTIONS;
  __atomic_store_n(&thread_limit, threads, __ATOMIC_RELAXED);
  return NF_OK;
}
