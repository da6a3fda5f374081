// The machine that measures: facts that decide whether a schedule that won on one machine can serve another.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace normforge {

/// A CPU, or a GPU.
struct Device {
  std::string name;           ///< as the processor names itself
  std::string level;          ///< the highest target that it runs; of a GPU its own architecture
  std::vector<int64_t> cache; ///< bytes of the data caches that one core sees, innermost first; a GPU's second level
  int cores = 0;              ///< that this process may run on; a GPU's multiprocessors
  int clock_mhz = 0;          ///< a GPU's highest clock
  std::string driver;         ///< a GPU's: the version of CUDA that it knows; empty: a CPU

  bool gpu() const { return !driver.empty(); }
  bool operator==(const Device &) const = default;
};

/// This machine's CPU.
Device this_device();

/// One line that round-trips: "x86-64-v4 48K/1M/32M 2 cores AMD EPYC 9B45", "sm_90 50M 132 multiprocessors 1980 MHz CUDA 13.0 NVIDIA H100
/// 80GB HBM3". It stands in Records and lockfiles.
std::string fingerprint(const Device &);
/// Throws UserError for a text that is no fingerprint.
Device parse_fingerprint(std::string_view);

/// Whether a schedule that won on `other` is worth using on `mine`: both are of one kind, each cache is within a factor of two of its size,
/// and so are a GPU's multiprocessors. The level is the target's that it was compiled for, which both run.
bool same_class(const Device &mine, const Device &other);

} // namespace normforge
