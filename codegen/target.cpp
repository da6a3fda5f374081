#include "codegen/target.h"

#include <algorithm>

#include "dsl/error.h"
#include "dsl/words.h"
#include "runtime/cpu.h"

namespace normforge {
namespace {

constexpr Target kTargets[] = {
    //  name        backend  cpu          tune      level bits registers fma    masks  f16    bf16   permute scale  shared warps blocks
    {"x86-64-v2", "x86", "x86-64-v2", "nehalem", 2, 128, 16, false, false, false, false, false, false},
    {"x86-64-v3", "x86", "x86-64-v3", "haswell", 3, 256, 16, true, false, true, false, false, false},
    {"x86-64-v4", "x86", "x86-64-v4", "skylake-avx512", 4, 512, 32, true, true, true, false, true, true},
    {"sm_80", "cuda", "sm_80", "", 80, 32, 255, true, true, true, true, false, false, 163 << 10, 64, 32},
    {"sm_86", "cuda", "sm_86", "", 86, 32, 255, true, true, true, true, false, false, 99 << 10, 48, 16},
    {"sm_89", "cuda", "sm_89", "", 89, 32, 255, true, true, true, true, false, false, 99 << 10, 48, 24},
    {"sm_90", "cuda", "sm_90", "", 90, 32, 255, true, true, true, true, false, false, 227 << 10, 64, 32},
};

} // namespace

std::span<const Target> targets() { return kTargets; }

const Target &find_target(std::string_view name) {
  std::vector<std::string> names;
  for (const Target &target : kTargets) {
    if (target.name == name)
      return target;
    names.emplace_back(target.name);
  }
  throw UserError(unknown_name("target", name, names));
}

std::vector<const Target *> parse_targets(std::string_view names) {
  std::vector<const Target *> found;
  for (std::string_view name : split(names, ',')) {
    const Target &target = find_target(name);
    if (std::ranges::find(found, &target) != found.end())
      throw UserError("target '" + std::string(target.name) + "' is given twice");
    found.push_back(&target);
  }
  return found;
}

bool runs_here(const Target &target) { return target.backend == "x86" && target.level <= nf_cpu_level(); }

const Target &host_target() {
  const Target *best = &kTargets[0];
  for (const Target &target : kTargets)
    if (runs_here(target) && target.level > best->level)
      best = &target;
  return *best;
}

} // namespace normforge
