#include "codegen/cuda/emulated_mbarrier.h"

#include <algorithm>
#include <cstring>

namespace normforge::cuda {
namespace {

constexpr int kPoison = 0xff;                 ///< a NaN in every dtype
constexpr int64_t kMostBytes = (1 << 20) - 1; ///< that a phase expects
constexpr uint32_t kMostArrivals = (1 << 20) - 1;

} // namespace

void EmulatedMbarriers::start_block() {
  all.clear();
  std::ranges::fill(threads, Thread());
}

bool EmulatedMbarriers::touches(const char *at, int64_t bytes) const {
  const auto next = all.lower_bound(at + bytes);
  return next != all.begin() && std::prev(next)->first + kMbarrierBytes > at;
}

std::string EmulatedMbarriers::init(ThreadClocks &clocks, const char *at, uint32_t arrivals) {
  if (arrivals == 0 || arrivals > kMostArrivals)
    return "initializes an mbarrier for " + std::to_string(arrivals) + " arrivals";
  all.emplace(at, Mbarrier{.engine = clocks.add(), .arrivals = arrivals, .pending = arrivals});
  return {};
}

std::string EmulatedMbarriers::missing(const char *at) const { return all.contains(at) ? "" : "uses an mbarrier that is not initialized"; }

std::string EmulatedMbarriers::expect(const char *at, uint32_t bytes) {
  Mbarrier &one = all.at(at);
  if (one.complete())
    return "expects bytes in a phase of an mbarrier that may have ended";
  one.expected += bytes;
  return one.expected > kMostBytes ? "expects more bytes than a phase of an mbarrier counts" : "";
}

std::string EmulatedMbarriers::begin(const char *at, const BulkCopy &copy) {
  Mbarrier &one = all.at(at);
  if (one.pending == 0 && one.begun + copy.bytes > one.expected)
    return "copies more bytes than the phase of its mbarrier expects";
  one.begun += copy.bytes;
  one.copies.push_back(copy);
  std::memset(copy.to, kPoison, copy.bytes);
  return {};
}

std::string EmulatedMbarriers::arrive(ThreadClocks &clocks, uint32_t thread, const char *at) {
  Mbarrier &one = all.at(at);
  if (one.pending == 0)
    return "arrives at an mbarrier whose phase has all its arrivals";
  one.known.push_back(clocks.arrive(thread));
  if (--one.pending == 0 && one.begun > one.expected)
    return "arrives at an mbarrier whose phase expects " + std::to_string(one.expected) + " bytes, while " + std::to_string(one.begun) +
           " are on their way";
  return {};
}

std::string EmulatedMbarriers::wait(uint32_t thread, const char *at, uint32_t parity) {
  Thread &one = threads[thread];
  const uint32_t phase = one.phases[at];
  if (parity != phase % 2)
    return "waits at an mbarrier for parity " + std::to_string(parity) + ", but its next phase there is number " + std::to_string(phase);
  one.at = at;
  return {};
}

bool EmulatedMbarriers::pass(ThreadClocks &clocks, uint32_t thread, std::string &wrong) {
  Thread &waiting = threads[thread];
  Mbarrier &one = all.at(waiting.at);
  uint32_t &phase = waiting.phases[waiting.at];
  if (phase == one.phase && one.complete())
    end_phase(clocks, one);
  if (phase == one.phase)
    return false;
  if (phase + 1 != one.phase)
    wrong = "waits for phase " + std::to_string(phase) + " of an mbarrier, which is in phase " + std::to_string(one.phase);
  clocks.join(thread, one.ended);
  ++phase;
  return true;
}

/// The bytes arrive at the last moment.
void EmulatedMbarriers::end_phase(ThreadClocks &clocks, Mbarrier &one) {
  for (const BulkCopy &copy : one.copies)
    std::memcpy(copy.to, copy.from, copy.bytes);
  one.known.push_back(clocks.arrive(one.engine));
  one.ended = ThreadClocks::all_of(one.known, clocks.threads());
  one.known.clear(), one.copies.clear();
  one.expected = one.begun = 0;
  one.pending = one.arrivals;
  ++one.phase;
}

std::string EmulatedMbarriers::lack(uint32_t thread) const {
  const Mbarrier &one = all.at(threads[thread].at);
  return std::to_string(one.pending) + " arrivals and " + std::to_string(one.expected - one.begun) + " bytes";
}

bool EmulatedMbarriers::unfinished() const {
  return std::ranges::any_of(all, [](const auto &each) {
    const Mbarrier &one = each.second;
    return one.pending != one.arrivals || one.expected || one.begun;
  });
}

} // namespace normforge::cuda
