// What the stand-in driver has and pretends to be, and when it refuses.
#include "tests/driver/stand_in_state.h"

#include <cstdlib>
#include <utility>

#include "dsl/words.h"

namespace normforge::testing {
namespace stand_in {

std::recursive_mutex mutex;
std::vector<std::string> events;
std::map<uintptr_t, size_t> memory;
std::set<Context *> contexts;
std::set<Stream *> streams;
thread_local Context *current = nullptr;
thread_local int capture_mode = 0;
int captures = 0;

std::string setting(const char *name, const char *fallback) {
  const char *value = std::getenv((std::string("NORMFORGE_STAND_IN_") + name).c_str());
  return value ? value : fallback;
}

std::vector<int> devices() {
  std::vector<int> found;
  if (const std::string text = setting("DEVICES", "90"); text != "none")
    for (std::string_view one : split(text, ','))
      found.push_back(std::stoi(std::string(one)));
  return found;
}

CUresult failure(const char *entry_point) {
  const std::string text = setting("FAIL", "");
  const size_t sign = text.find('=');
  if (sign != text.npos && text.substr(0, sign) == entry_point)
    return std::stoi(text.substr(sign + 1));
  return 0;
}

CUresult refusal(const char *entry_point) {
  if (const CUresult result = failure(entry_point))
    return result;
  return !current || !contexts.contains(current) ? kInvalidContext : current->error;
}

CUresult unsafe_refusal(const char *entry_point) {
  if (captures > 0 && capture_mode != nf::cuda::kCaptureRelaxed)
    return kCaptureUnsupported;
  return refusal(entry_point);
}

bool on_device(const void *pointer) {
  const auto next = memory.upper_bound(reinterpret_cast<uintptr_t>(pointer));
  if (next == memory.begin())
    return false;
  const auto [base, bytes] = *std::prev(next);
  return reinterpret_cast<uintptr_t>(pointer) < base + bytes;
}

} // namespace stand_in

std::vector<std::string> take_driver_events() {
  const std::lock_guard lock(stand_in::mutex);
  return std::exchange(stand_in::events, {});
}

} // namespace normforge::testing
