#include "autotune/locked_choices.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "autotune/shapes.h"
#include "codegen/hash.h"
#include "codegen/package/run_bands.h"
#include "codegen/toolchain.h"
#include "dsl/error.h"

namespace normforge {
namespace {

/// Outputs that have a value for each index of kept axes alone: mean and rstd of a row.
uint64_t statistics(const Program &program) {
  const AxisSet kept = kept_axes(program);
  uint64_t outputs = 0;
  for (size_t t = 0; t < program.tensors.size(); ++t)
    if (program.tensors[t].role == Tensor::output &&
        std::ranges::all_of(program.tensors[t].axes, [&](int axis) { return kept & axis_bit(axis); }))
      outputs |= uint64_t(1) << t;
  return outputs;
}

/// The shapes that both span, of `b`, or nothing where they span none or differ in more than extents and statistics.
std::optional<Problem> common(const Problem &a, const Problem &b) {
  Problem meet = b;
  for (size_t axis = 0; axis < meet.extents.size(); ++axis) {
    Extent &extent = meet.extents[axis];
    extent = {std::max(extent.lo, a.extents[axis].lo), std::min(extent.hi, a.extents[axis].hi)};
    if (extent.lo > extent.hi)
      return std::nullopt;
  }
  Problem other = a;
  other.extents = meet.extents;
  if ((a.outputs ^ b.outputs) & ~statistics(b.norm->program))
    return std::nullopt;
  other.outputs = b.outputs;
  return meet == other ? std::optional(std::move(meet)) : std::nullopt;
}

std::string differs(const char *field, const std::string &locked, const std::string &here) {
  return std::string(field) + ": locked for '" + locked + "', here it is '" + here + "'";
}

/// Why an entry of a problem's norm is not used, field by field; empty: it is.
std::string mismatch(const LockEntry &entry, const Problem &problem, const Device *device) {
  std::string what;
  const auto add = [&](const std::string &field) { what += (what.empty() ? "" : "; ") + field; };
  if (const std::string norm = hash_text(problem.norm->hash); entry.norm != norm)
    add(differs("norm text", entry.norm, norm));
  if (entry.compiler != toolchain())
    add(differs("compiler", entry.compiler, toolchain()));
  if (device && !same_class(*device, parse_fingerprint(entry.device)))
    add(differs("class of device", entry.device, fingerprint(*device)));
  return what.empty() ? "" : "not used, the default serves: " + what;
}

/// Whether an entry is about the norm of that source: its problem's first word.
bool is_of(const LockEntry &entry, const std::string &source) {
  return entry.problem.starts_with(source) && (entry.problem.size() == source.size() || entry.problem[source.size()] == ' ');
}

/// Whether every shape of a problem but empty ones lies within one of `parts`, which differ from it along one axis at most.
bool cover(const std::vector<ApplicableEntry> &parts, const Problem &problem) {
  std::map<size_t, std::vector<Extent>> ranges; // by axis
  for (const ApplicableEntry &part : parts) {
    std::vector<size_t> narrower;
    for (size_t axis = 0; axis < problem.extents.size(); ++axis)
      if (!(part.choice.problem.extents[axis] == problem.extents[axis]))
        narrower.push_back(axis);
    if (narrower.empty())
      return true;
    if (narrower.size() == 1)
      ranges[narrower[0]].push_back(part.choice.problem.extents[narrower[0]]);
  }
  for (auto &[axis, along] : ranges) {
    std::ranges::sort(along, {}, &Extent::lo);
    int64_t next = std::max<int64_t>(problem.extents[axis].lo, 1); // the first that no part has so far
    for (const Extent &range : along) {
      if (range.lo > next)
        break;
      if (range.hi >= problem.extents[axis].hi)
        return true;
      next = std::max(next, range.hi + 1);
    }
  }
  return false;
}

} // namespace

std::vector<ApplicableEntry> applicable_entries(const Lockfile &lockfile, const Problem &problem, const Target &target,
                                                const Device *device, const EntryNote &note) {
  std::vector<ApplicableEntry> applicable, similar; // `similar`: made for other statistics
  const Backend &backend = backend_for(target);
  for (const LockEntry &entry : lockfile.entries) {
    if (entry.target != target.name || !is_of(entry, problem.norm->source))
      continue;
    try {
      std::optional<Problem> meet; // what an entry for another text of the norm is about cannot be known
      bool exact = true;
      if (entry.norm == hash_text(problem.norm->hash)) {
        const Problem locked = parse_problem(entry.problem, problem.norm, "lockfile");
        if (meet = common(locked, problem); !meet)
          continue;
        exact = locked.outputs == problem.outputs;
      }
      if (const std::string what = mismatch(entry, problem, device); !what.empty()) {
        note(entry, what);
        continue;
      }
      const SweepPlan plan = make_sweep_plan(*meet);
      const Schedule schedule = parse_schedule(entry.schedule, backend.knobs(), backend.default_schedule(plan, target));
      if (const auto reason = backend.inapplicable(plan, schedule, target))
        throw UserError(*reason);
      if (device && device->name != parse_fingerprint(entry.device).name)
        note(entry, "used, though " + differs("device", entry.device, fingerprint(*device)));
      (exact ? applicable : similar).push_back({&entry, {*meet, &target, schedule, entry.pins_numerics, entry.device}});
    } catch (const UserError &error) {
      note(entry, std::string("not used, the default serves: ") + error.what());
    }
  }
  return applicable.empty() ? similar : applicable;
}

LockedChoices locked_choices(const Lockfile &lockfile, std::span<const Problem> problems, std::span<const Target *const> targets,
                             std::span<const Device> devices) {
  LockedChoices locked;
  std::map<std::string, std::vector<const LockEntry *>> notes; // by what is said
  std::set<std::pair<const Target *, std::string>> chosen;
  for (const Target *target : targets)
    for (const Problem &problem : in_bands({problems.begin(), problems.end()}, *target)) {
      const auto note = [&](const LockEntry &entry, const std::string &what) {
        std::vector<const LockEntry *> &entries = notes[what];
        if (std::ranges::find(entries, &entry) == entries.end())
          entries.push_back(&entry);
      };
      const auto device = std::ranges::find(devices, target->gpu(), &Device::gpu);
      const std::vector<ApplicableEntry> found =
          applicable_entries(lockfile, problem, *target, device == devices.end() ? nullptr : &*device, note);
      if (!cover(found, problem))
        locked.missing.push_back("'" + to_text(problem) + "' for " + std::string(target->name));
      for (const ApplicableEntry &applicable : found)
        if (chosen.emplace(target, to_text(applicable.choice.problem)).second)
          locked.choices.push_back(applicable.choice);
    }
  for (const auto &[what, entries] : notes) {
    std::string line = "'" + entries.front()->problem + "' for " + entries.front()->target;
    if (entries.size() > 1)
      line += " and " + std::to_string(entries.size() - 1) + " more";
    locked.notes.push_back(line + ": " + what);
  }
  return locked;
}

} // namespace normforge
