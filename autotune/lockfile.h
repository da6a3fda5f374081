// The lockfile: which schedule serves which problem on which target; what a project commits. A line of JSON each, sorted, so that two of
// them compare well, after one that says how many there are. From the same lockfile, problems and toolchain come the same library's bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace normforge {

struct LockEntry {
  std::string problem; ///< canonical; its extents are where the schedule holds
  std::string target;
  std::string schedule;       ///< canonical
  std::string norm;           ///< as in RecordKey
  std::string compiler;       ///< as in RecordKey
  std::string device;         ///< fingerprint of the device that it was measured on
  double gain = 1;            ///< time of the default over time of this one, there
  bool pins_numerics = false; ///< the numerics half was searched, too: the schedule's is that of the whole function
  auto operator<=>(const LockEntry &) const = default;
};

struct Lockfile {
  std::vector<LockEntry> entries; ///< sorted by problem and target, one for each
  bool operator==(const Lockfile &) const = default;
};

/// Throws UserError naming the line for anything damaged: a library must not depend on half a file.
Lockfile parse_lockfile(std::string_view text, const std::string &path);
std::string to_text(const Lockfile &);

} // namespace normforge
