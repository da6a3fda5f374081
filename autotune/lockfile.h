// The lockfile: which schedule serves which problem on which target; what a project commits. A line of JSON each, sorted, so that two of
// them compare well. From the same lockfile, problems and toolchain come the same library's bytes.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autotune/device.h"
#include "codegen/schedule.h"
#include "codegen/target.h"
#include "dsl/problem.h"

namespace normforge {

struct LockEntry {
  std::string problem; ///< canonical; the range of its kept axes is where the schedule holds
  std::string target;
  std::string schedule; ///< canonical
  std::string norm;     ///< as in RecordKey
  std::string compiler; ///< as in RecordKey
  std::string device;   ///< fingerprint of the device that it was measured on
  double gain = 1;      ///< time of the default over time of this one, there
  auto operator<=>(const LockEntry &) const = default;
};

struct Lockfile {
  std::vector<LockEntry> entries; ///< sorted by problem and target
  bool operator==(const Lockfile &) const = default;
};

/// Throws UserError naming the line for anything damaged: a library must not depend on half a file.
Lockfile parse_lockfile(std::string_view text, const std::string &path);
std::string to_text(const Lockfile &);

/// The schedules that a lockfile has for a problem on a target: entries whose problem lies within `problem` and differs in the extents of
/// kept axes alone. An entry for another norm text, compiler or class of device is left out, and `note` told, field by field.
std::vector<LockEntry> applicable_entries(const Lockfile &, const Problem &problem, const Target &target, const Device &device,
                                          const std::function<void(const std::string &)> &note);

} // namespace normforge
