// A Record: what is known of one schedule for one problem on one device. It is either measured, with its samples kept raw, or rejected,
// with the cause. Everything that a decision needs is in the Records, so that it can be made again later without the hardware.
//
// As text a Record is one line of JSON that carries a checksum of itself. Two Records with equal keys are the same experiment, and merge by
// the union of their runs: nothing that was measured is ever lost by merging.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace normforge {

/// Where the buffers of a timed call lie before it.
enum class Regime : uint8_t {
  warm, ///< the same buffers at every call: whatever cache holds them
  cold, ///< buffers in rotation that together exceed the last-level cache
};

/// Samples of one run. Those of different Records with equal `run`, regime, threads and round were taken side by side: they make the pairs
/// that ratios are taken over. A candidate is picked by samples of a search and believed by those of a later, confirming run, so that luck
/// in the one does not carry it through; and in every run the default is measured twice, since what two equal kernels differ by is noise.
struct Samples {
  uint64_t run = 0; ///< a random number for each run
  Regime regime = Regime::warm;
  int threads = 1;
  bool confirms = false;       ///< of a run that confirms what a search picked
  bool twin = false;           ///< the default's second sample of each round
  std::vector<int> rounds;     ///< increasing
  std::vector<double> seconds; ///< by round: time of one call
  auto operator<=>(const Samples &) const = default;
};

/// What a Record is about. Texts are canonical (dsl/problem.h, codegen/schedule.h).
struct RecordKey {
  std::string norm; ///< hash of the norm's canonical text, 16 hexadecimal digits
  std::string problem;
  std::string target;
  std::string schedule;
  std::string code;     ///< hash of the machine code, 16 hexadecimal digits; empty where it was rejected before there was any
  std::string compiler; ///< "normforge 0.1.0 LLVM 22.1.8"
  std::string device;   ///< fingerprint (autotune/device.h)
  auto operator<=>(const RecordKey &) const = default;
};

struct Record {
  RecordKey key;
  std::string rejected;         ///< empty: measured; else the cause and its detail: "gate: y differs …", "crash: signal 11", "hang: …"
  double deviation = 0;         ///< the gate's worst deviation from the reference, in units of what is allowed; measured Records only
  std::vector<Samples> samples; ///< sorted by run, regime and threads
  bool operator==(const Record &) const = default;
};

/// One line without its newline; the same text for equal Records.
std::string to_line(const Record &);

/// Throws UserError: not JSON, a field that is missing or of another type, a checksum that doesn't match.
Record parse_record(std::string_view line);

/// The union of two Records of one key. A rejection stands beside samples only where both exist: then the rejection wins, and the samples
/// stay.
Record merge(const Record &, const Record &);

} // namespace normforge
