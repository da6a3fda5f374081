// Compiled kernels on disk, found again by what they were compiled from: what is read of the problem, the norm's text, the schedule, the
// target, and this very build of normforge and LLVM. Several processes may share a directory: an entry appears by rename, complete, and
// carries a checksum, so that one that was damaged is compiled again.
#pragma once

#include <optional>
#include <string>

#include "codegen/kernel.h"
#include "codegen/schedule.h"
#include "codegen/sweep_plan.h"
#include "codegen/target.h"

namespace normforge {

/// The name under which a kernel is kept: a hash of all that it depends on; `assembler`: what made a GPU's machine code, where it has some.
std::string kernel_key(const SweepPlan &plan, const Schedule &schedule, const Target &target, const std::string &assembler = "");

class KernelCache {
public:
  /// Makes the directory where there is none; empty: keeps nothing. Throws UserError when it cannot be written.
  explicit KernelCache(std::string directory);

  std::optional<Kernel> find(const std::string &key) const;

  /// Best effort: a full disk costs time later, not the build.
  void store(const std::string &key, const Kernel &kernel) const;

private:
  std::string path(const std::string &key) const { return directory + "/" + key.substr(0, 2) + "/" + key.substr(2); }

  std::string directory;
};

/// $XDG_CACHE_HOME/normforge, else ~/.cache/normforge; empty when there is neither, or it cannot be written.
std::string default_cache_directory();

} // namespace normforge
