// One problem of a pack, as a file: all that it takes to measure it on a machine that has nothing but the pack's runner. Files stand on
// their own, so that a pack is shared out by its files.
//
// A file is a line of JSON that carries its own checksum (autotune/checked_line.h), then the kernels, one after the other, each with a
// checksum of its own (codegen/kernel_file.h). Every byte is covered by one of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/kernel.h"
#include "dsl/problem.h"

namespace normforge {

struct PackedCandidate {
  Kernel kernel;              ///< without its object, but for a GPU's that has no image
  std::optional<Kernel> gate; ///< what the gate tries in its place, where that is another one
  bool same_bits = true;      ///< it has the default's numerics half
  bool gated = false;         ///< it passed the gate where the pack was made; else it must where it is measured
  double deviation = 0;       ///< the gate's
};

struct PackedProblem {
  Problem problem;
  int number = 1, of = 1;                    ///< of the problems of the pack
  std::string target;                        ///< that the kernels were compiled for
  std::string backend;                       ///< that compiled them: what kind of device they run on
  std::string compiler;                      ///< as Records have it
  int threads = 1;                           ///< of a timed call
  bool pin = false;                          ///< timed calls stay on as many CPUs
  uint64_t seed = 1;                         ///< of inputs, which are made where they are wanted, and of the order of measuring
  int search_rounds = 0, confirm_rounds = 0; ///< of samples
  double seconds = 0;                        ///< to be kept
  std::vector<PackedCandidate> candidates;   ///< the default first
};

inline constexpr std::string_view kPackedSuffix = ".problem";

/// "0007-layer_norm.problem"
std::string file_name(const PackedProblem &);

std::string to_bytes(const PackedProblem &);

/// Throws UserError, with `path`: damaged, cut short, or of another version.
PackedProblem parse_packed_problem(std::string_view bytes, const std::string &path);

/// A file. Throws UserError as parse_packed_problem() does, and when it cannot be read.
PackedProblem read_packed_problem(const std::string &path);

} // namespace normforge
