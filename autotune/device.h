// The machine that measures: facts that decide whether a schedule that won on one machine can serve another.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace normforge {

struct Device {
  std::string cpu;            ///< as the processor names itself
  std::string level;          ///< the highest target that it runs
  std::vector<int64_t> cache; ///< bytes of the data caches that one core sees, innermost first
  int cores = 0;              ///< that this process may run on
  bool operator==(const Device &) const = default;
};

/// This machine.
Device this_device();

/// One line that round-trips: "x86-64-v4 48K/1M/32M 2 cores AMD EPYC 9B45". It stands in Records and lockfiles.
std::string fingerprint(const Device &);
/// Throws UserError for a text that is no fingerprint.
Device parse_fingerprint(std::string_view);

/// Whether a schedule that won on `other` is worth using on `mine`: each cache is within a factor of two of its size. The level is the
/// target's that it was compiled for, which both run.
bool same_class(const Device &mine, const Device &other);

} // namespace normforge
