// The CPU level in force: what the program forced, else what the library's environment variable says, else what the CPU has. The variable
// is read once, by the first call; threads that race to it find the same answer, and never undo what nf_force_level() has said meanwhile.
#include <stdlib.h>

#include "runtime/cpu.h"
#include "runtime/library.h"
#include "runtime/runtime.h"

namespace {

constexpr int32_t kUnread = 0, kUnsupported = -1;
int32_t in_force = kUnread;

bool supported(int32_t level) { return level >= 2 && level <= nf_cpu_level(); }

int32_t level_of_environment() {
  const char *text = getenv(nf_level_variable);
  if (!text || !*text)
    return nf_cpu_level();
  const int32_t level = text[1] ? 0 : text[0] - '0';
  return supported(level) ? level : kUnsupported;
}

} // namespace

extern "C" nf_status nf_force_level(int32_t level) {
  if (level != 0 && !supported(level))
    return NF_LEVEL_UNSUPPORTED;
  __atomic_store_n(&in_force, level ? level : nf_cpu_level(), __ATOMIC_RELAXED);
  return NF_OK;
}

extern "C" int32_t nf_level(void) {
  int32_t level = __atomic_load_n(&in_force, __ATOMIC_RELAXED);
  if (level == kUnread) {
    const int32_t found = level_of_environment();
    if (__atomic_compare_exchange_n(&in_force, &level, found, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
      level = found;
  }
  return level == kUnsupported ? 0 : level;
}
