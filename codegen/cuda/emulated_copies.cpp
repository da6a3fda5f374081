#include "codegen/cuda/emulated_copies.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace normforge::cuda {

void EmulatedCopies::start_block() {
  std::ranges::fill(threads, Thread());
  std::ranges::fill(owed, 0);
}

void EmulatedCopies::begin(uint32_t thread, const AsyncCopy &copy) {
  std::memset(copy.to, kPoison, copy.bytes);
  std::fill_n(owed.begin() + (copy.to - shared), copy.bytes, 1);
  threads[thread].open.push_back(copy);
}

bool EmulatedCopies::commit(uint32_t thread) {
  auto &groups = threads[thread].groups;
  groups.push_back(std::exchange(threads[thread].open, {}));
  return !groups.back().empty();
}

std::vector<AsyncCopy> EmulatedCopies::wait(uint32_t thread, size_t pending) {
  std::vector<AsyncCopy> done;
  for (auto &groups = threads[thread].groups; groups.size() > pending; groups.pop_front())
    done.insert(done.end(), groups.front().begin(), groups.front().end());
  for (const AsyncCopy &copy : done) {
    std::memset(copy.to, copy.others, copy.bytes);
    std::memcpy(copy.to, copy.from, copy.exist);
    std::fill_n(owed.begin() + (copy.to - shared), copy.bytes, 0);
  }
  return done;
}

bool EmulatedCopies::under_way(const char *at, int64_t bytes) const {
  const int64_t first = at - shared, size = int64_t(owed.size());
  return first + bytes > 0 && first < size &&
         std::any_of(
             owed.begin() + std::max<int64_t>(first, 0), owed.begin() + std::min(first + bytes, size), [](char byte) { return byte != 0; });
}

bool EmulatedCopies::owes(uint32_t thread) const {
  const Thread &one = threads[thread];
  return !one.open.empty() || std::ranges::any_of(one.groups, [](const auto &group) { return !group.empty(); });
}

} // namespace normforge::cuda
