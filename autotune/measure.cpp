#include "autotune/measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <sched.h>

#include "autotune/shapes.h"
#include "autotune/statistics.h"
#include "autotune/workload.h"
#include "codegen/compiled_call.h"
#include "dsl/conditions.h"
#include "dsl/error.h"

namespace normforge {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr int kColdRounds = 21;
constexpr int kPlacements = 4;               ///< of the tensors in memory, by turns: which kernel is faster may depend on it
constexpr int64_t kPlacedBytes = 16 << 20;   ///< of tensors; larger ones lie on pages enough for every placement
constexpr int kFirstRounds = 3, kCrowd = 16; ///< rounds of a stage while there are more than kCrowd
constexpr int kMiddleRounds = 5;
constexpr size_t kLeastContenders = 4; ///< that are let in however long it takes; a call on gigabytes takes long
constexpr double kSlowSeconds = 4e-3;  ///< a call that takes so long leaves nothing in the caches that an untimed one before it would help

/// Keeps this process on the last `count` of the CPUs that it may use: interrupts tend to go to the first.
void pin_to_cpus(int count) {
  cpu_set_t usable, chosen;
  CPU_ZERO(&chosen);
  if (::sched_getaffinity(0, sizeof usable, &usable) != 0)
    return;
  for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && CPU_COUNT(&chosen) < count; --cpu)
    if (CPU_ISSET(cpu, &usable))
      CPU_SET(cpu, &chosen);
  ::sched_setaffinity(0, sizeof chosen, &chosen);
}

/// What the child tells.
struct Message {
  enum Kind { starting, sample, wrong, round } kind;
  int kernel = 0; ///< round: how many are alive
  Regime regime = Regime::warm;
  bool twin = false;
  int number = 0; ///< of the round
  double seconds = 0;
};

void tell(const Send &send, const Message &message) { send({reinterpret_cast<const char *>(&message), sizeof message}); }

/// A kernel in the child, ready to be called.
struct Contender {
  int index; ///< among the kernels that were given
  CompiledCall call;
  int64_t calls = 1; ///< of one sample
  double seconds = 0;
  std::vector<double> logs; ///< against the default, by round
};

/// The child's side: kernels on one workload.
class Contest {
public:
  Contest(const Problem &problem, const Target &target, const Problem &shape, const MeasureOptions &options, Regime regime,
          const Send &send)
      : options(options), regime(regime), send(send),
        work(shape, options.seed, regime == Regime::warm && tensor_bytes(shape) <= kPlacedBytes ? kPlacements : 1,
             regime == Regime::cold ? options.rotation_bytes : 0),
        problem(problem), target(target), extents(fixed_extents(shape)), scalars(scalar_values(shape.norm->program, {})),
        random(options.seed) {}

  /// Takes a kernel in: calls it once, to see that it writes what the default (the first) does, and finds how many calls make a sample.
  void enter(int index, const Kernel &kernel, bool same_bits) {
    tell(send, {Message::starting, index});
    Contender contender{index, CompiledCall(problem, target, kernel), 1, 0, {}};
    contender.call.bind(extents, work.tensors(0), scalars);
    work.poison(0);
    work.restore(0);
    const auto start = Clock::now();
    contender.call.run(options.threads);
    double took = since(start);
    if (contenders.empty())
      expected = work.results(0);
    else if (same_bits && !work.same(work.results(0), expected))
      return tell(send, {Message::wrong, index});
    while (took < options.sample_seconds / 10) {
      contender.calls *= 4;
      took = calls(contender);
    }
    contender.calls = std::max<int64_t>(1, int64_t(std::ceil(options.sample_seconds / took * double(contender.calls))));
    contender.seconds = took;
    contenders.push_back(std::move(contender));
  }

  /// One sample of each contender and the default's twin, in a random order.
  void round() {
    if (regime == Regime::warm)
      turn = rounds % work.sets();
    std::vector<size_t> order; // the twin is one past the last
    for (size_t c = 0; c <= contenders.size(); ++c)
      order.push_back(c);
    std::ranges::shuffle(order, random);
    std::vector<double> seconds(order.size());
    for (size_t c : order) {
      const bool twin = c == contenders.size();
      Contender &contender = contenders[twin ? 0 : c];
      tell(send, {Message::starting, contender.index});
      if (regime == Regime::warm && contender.seconds < kSlowSeconds)
        calls(contender, 1);
      seconds[c] = calls(contender) / double(contender.calls);
      tell(send, {Message::sample, contender.index, regime, twin, rounds, seconds[c]});
    }
    for (size_t c = 0; c < contenders.size(); ++c)
      contenders[c].logs.push_back(std::log(seconds[c] / seconds[0]));
    ++rounds;
    tell(send, {Message::round, int(contenders.size())});
  }

  /// Keeps the default and the fastest of the others, `count` in all.
  void keep(size_t count) {
    if (contenders.size() <= count)
      return;
    std::ranges::sort(contenders.begin() + 1, contenders.end(), {}, [](const Contender &contender) { return median(contender.logs); });
    contenders.erase(contenders.begin() + std::ptrdiff_t(count), contenders.end());
  }

  size_t alive() const { return contenders.size(); }
  int rounds_so_far() const { return rounds; }

private:
  const MeasureOptions &options;
  Regime regime;
  const Send &send;
  Workload work;
  const Problem &problem;
  const Target &target;
  std::vector<int64_t> extents;
  std::vector<double> scalars;
  std::mt19937_64 random;
  std::vector<char> expected;
  std::vector<Contender> contenders; ///< the default first
  int rounds = 0;
  int turn = 0; ///< the set of the next cold call, of all warm ones of a round

  double calls(Contender &contender) { return calls(contender, contender.calls); }

  /// Seconds that so many calls take. Where a call overwrites its input, that is put back between the calls, which are timed one by one.
  double calls(Contender &contender, int64_t count) {
    if (regime == Regime::warm)
      contender.call.rebind(work.tensors(turn));
    if (!work.restores()) {
      const auto start = Clock::now();
      for (int64_t i = 0; i < count; ++i)
        call(contender);
      return since(start);
    }
    double seconds = 0;
    for (int64_t i = 0; i < count; ++i) {
      if (regime == Regime::warm)
        work.restore(turn);
      else if (turn == 0) // all sets at once, so that each is out of the caches again when its turn comes
        for (int set = 0; set < work.sets(); ++set)
          work.restore(set);
      const auto start = Clock::now();
      call(contender);
      seconds += since(start);
    }
    return seconds;
  }

  void call(Contender &contender) {
    if (regime == Regime::cold) {
      contender.call.rebind(work.tensors(turn));
      turn = turn + 1 == work.sets() ? 0 : turn + 1;
    }
    contender.call.run(options.threads);
  }
};

/// The whole of a run, in the child.
void compete(Contest &contest, const MeasureOptions &options, Clock::time_point start) {
  const auto late = [&] { return since(start) > options.seconds; };
  const auto survivors = size_t(options.survivors);
  while (!options.confirms && contest.alive() > survivors) {
    for (int i = 0, count = contest.alive() > size_t(kCrowd) ? kFirstRounds : kMiddleRounds; i < count && (i == 0 || !late()); ++i)
      contest.round();
    contest.keep(late() ? survivors : std::max(survivors, (contest.alive() + 1) / 2));
  }
  for (int i = 0; i < options.rounds && !(late() && i >= kLeastPairs); ++i)
    contest.round();
}

uint64_t new_run() {
  std::random_device device;
  return uint64_t(device()) << 32 | device();
}

} // namespace

std::vector<Timings> measure(const Problem &problem, const Target &target, const Problem &shape, std::span<const Kernel *const> kernels,
                             const std::vector<bool> &same_bits, const MeasureOptions &options, const std::function<void(int)> &progress,
                             const std::function<bool()> &stop) {
  std::vector<Timings> timings(kernels.size());
  const bool cold = options.confirms && tensor_bytes(shape) < options.rotation_bytes;
  const auto start = Clock::now();
  for (;;) {
    const auto work = [&](const Send &send) {
      if (options.pin)
        pin_to_cpus(options.threads);
      for (Regime regime : {Regime::warm, Regime::cold}) {
        if (regime == Regime::cold && !cold)
          continue;
        Contest contest(problem, target, shape, options, regime, send);
        const double entering = regime == Regime::cold ? options.seconds : options.seconds / 2;
        for (size_t i = 0; i < kernels.size(); ++i)
          if (timings[i].rejected.empty() && (contest.alive() < kLeastContenders || since(start) < entering))
            contest.enter(int(i), *kernels[i], same_bits[i]);
        MeasureOptions share = options;
        if (regime == Regime::cold)
          share.rounds = std::min(options.rounds, kColdRounds);
        else if (cold)
          share.seconds = options.seconds * 0.6;
        compete(contest, share, start);
      }
    };
    std::map<std::tuple<int, Regime, bool>, Samples> samples;
    const uint64_t run = new_run();
    int current = 0;
    const auto receive = [&](std::string_view text) {
      Message message;
      std::memcpy(&message, text.data(), sizeof message);
      switch (message.kind) {
      case Message::starting: current = message.kernel; break;
      case Message::wrong:
        timings[size_t(message.kernel)].rejected = "gate: at " + to_text(shape) + ": its bits are not those of the default";
        break;
      case Message::sample: {
        Samples &mine = samples[{message.kernel, message.regime, message.twin}];
        mine.run = run;
        mine.regime = message.regime;
        mine.threads = options.threads;
        mine.confirms = options.confirms;
        mine.twin = message.twin;
        mine.rounds.push_back(message.number);
        mine.seconds.push_back(message.seconds);
        break;
      }
      case Message::round: progress(message.kernel); break;
      }
    };
    const Ending ending = run_contained(work, receive, options.silence_seconds, stop);
    for (auto &[of, mine] : samples)
      timings[size_t(std::get<0>(of))].samples.push_back(std::move(mine));
    if (ending.kind == Ending::finished || ending.kind == Ending::stopped)
      return timings;
    timings[size_t(current)].rejected = ending.text();
    if (current == 0)
      return timings;
  }
}

} // namespace normforge
