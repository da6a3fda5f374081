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
#include "dsl/error.h"

namespace normforge {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr int kColdRounds = 21;
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
  int index;     ///< among the kernels that were given
  size_t number; ///< of the bench
  int64_t calls; ///< of one sample
  double seconds = 0;
  std::vector<double> logs; ///< against the default, by round
};

/// The child's side: kernels on one workload.
class Contest {
public:
  Contest(std::unique_ptr<Bench> bench, double sample_seconds, Regime regime, uint64_t seed, const Send &send)
      : bench(std::move(bench)), sample_seconds(sample_seconds), regime(regime), send(send), random(seed) {}

  /// Takes a kernel in: calls it once, to see that it writes what the default (the first) does, and finds how many calls make a sample.
  void enter(int index, const Kernel &kernel, bool same_bits) {
    tell(send, {Message::starting, index});
    Contender contender{index, entered++, 1};
    bench->add(kernel);
    auto [written, took] = bench->first_call(contender.number);
    if (contenders.empty())
      expected = std::move(written);
    else if (same_bits && !bench->same(written, expected))
      return tell(send, {Message::wrong, index});
    while (took < sample_seconds / 10) {
      contender.calls *= 4;
      took = bench->seconds(contender.number, contender.calls);
    }
    contender.calls = std::max<int64_t>(1, int64_t(std::ceil(sample_seconds / took * double(contender.calls))));
    contender.seconds = took;
    contenders.push_back(std::move(contender));
  }

  /// One sample of each contender and the default's twin, in a random order.
  void round() {
    bench->begin_round(rounds);
    std::vector<size_t> order; // the twin is one past the last
    for (size_t c = 0; c <= contenders.size(); ++c)
      order.push_back(c);
    std::ranges::shuffle(order, random);
    std::vector<double> seconds(order.size());
    for (size_t c : order) {
      const bool twin = c == contenders.size();
      Contender &contender = contenders[twin ? 0 : c];
      tell(send, {Message::starting, contender.index});
      if (bench->prepares() && contender.seconds < kSlowSeconds)
        bench->seconds(contender.number, 1);
      seconds[c] = bench->seconds(contender.number, contender.calls) / double(contender.calls);
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

private:
  std::unique_ptr<Bench> bench;
  double sample_seconds;
  Regime regime;
  const Send &send;
  std::mt19937_64 random;
  std::vector<char> expected;
  std::vector<Contender> contenders; ///< the default first
  size_t entered = 0;
  int rounds = 0;
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
  const Regime deciding = deciding_regime(target);
  const bool also_cold = deciding == Regime::warm && options.confirms && tensor_bytes(shape) < options.rotation_bytes;
  const auto start = Clock::now();
  for (;;) {
    const auto work = [&](const Send &send) {
      if (options.pin)
        pin_to_cpus(options.threads);
      for (Regime regime : {Regime::warm, Regime::cold}) {
        if (regime != deciding && !(regime == Regime::cold && also_cold))
          continue;
        Contest contest(options.machine->bench({problem, shape, &target, regime, options.seed, options.rotation_bytes, options.threads}),
                        options.machine->sample_seconds(), regime, options.seed, send);
        const double entering = regime == deciding ? options.seconds / 2 : options.seconds;
        for (size_t i = 0; i < kernels.size(); ++i)
          if (timings[i].rejected.empty() && (contest.alive() < kLeastContenders || since(start) < entering))
            contest.enter(int(i), *kernels[i], same_bits[i]);
        MeasureOptions share = options;
        if (regime != deciding)
          share.rounds = std::min(options.rounds, kColdRounds);
        else if (also_cold)
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
