// Targets: rows of facts. A backend asks for a capability, never for a name.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace normforge {

struct Target {
  std::string_view name;    ///< "x86-64-v3"
  std::string_view backend; ///< "x86": which backend compiles for it
  std::string_view cpu;     ///< the code generator's CPU name: tuning, and the features that come with it
  std::string_view tune;    ///< scheduling model
  int level;                ///< x86: 2, 3, 4, as runtime dispatch counts them; CUDA: ten times the compute capability
  int vector_bits;          ///< widest vector register
  int vector_registers;
  bool fma;                 ///< fused multiply-add
  bool masks;               ///< native masked loads and stores
  bool f16_convert;         ///< converts f16 <-> f32 with subnormals intact
  bool bf16_convert;        ///< converts f32 -> bf16 with subnormals intact
  bool permute;             ///< permutes 16-bit elements over a whole register (vpermw)
  bool scale;               ///< multiplies by a power of two of any size, rounding once (vscalefps)
  int64_t shared_bytes = 0; ///< GPUs: shared memory that one block may have
  int warps = 0;            ///< GPUs: that a multiprocessor holds,
  int blocks = 0;           ///< and blocks

  bool gpu() const { return warps > 0; }
};

std::span<const Target> targets();

/// The target of that name, or UserError with the names there are.
const Target &find_target(std::string_view name);

/// Comma-separated names. Throws UserError on an unknown or repeated one.
std::vector<const Target *> parse_targets(std::string_view names);

/// The best target that this machine runs.
const Target &host_target();

/// Whether this machine runs code for `target`.
bool runs_here(const Target &target);

} // namespace normforge
