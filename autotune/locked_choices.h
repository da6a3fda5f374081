// From a lockfile to what a library is made with. An entry serves a problem where their extents meet and all else is equal, but for which
// statistics are written: those are a value for each row, and what is fastest hardly depends on them. It serves nothing when it was made
// for another text of the norm, by another compiler, or on a device of another class.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "autotune/device.h"
#include "autotune/lockfile.h"
#include "codegen/package/selection.h"

namespace normforge {

/// An entry, and that of it which is within a problem.
struct ApplicableEntry {
  const LockEntry *entry;
  KernelChoice choice;
};

/// What is worth saying of an entry: why it is not used, or how the device that it was measured on differs from this one.
using EntryNote = std::function<void(const LockEntry &, const std::string &what)>;

/// The entries for a problem on a target, as measured on a device of the class of `device`; null: on any device. Those for the problem's
/// own outputs, or where there are none, those for others.
std::vector<ApplicableEntry> applicable_entries(const Lockfile &, const Problem &problem, const Target &target, const Device *device,
                                                const EntryNote &note);

struct LockedChoices {
  std::vector<KernelChoice> choices;
  std::vector<std::string> notes;   ///< one line for each thing to say, with the entries that it is said of
  std::vector<std::string> missing; ///< "'softmax cols=768' for x86-64-v3": entries serve none of it or a part
};

/// `devices`: what the library is for, one CPU or GPU or both; a target of a kind that is not among them is for any.
LockedChoices locked_choices(const Lockfile &, std::span<const Problem> problems, std::span<const Target *const> targets,
                             std::span<const Device> devices);

} // namespace normforge
