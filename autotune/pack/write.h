// Writes a pack: what to measure on a machine that has neither normforge nor a compiler, as a directory.
//
//   DIR/run                         the runner (autotune/pack/run_pack.h)
//   DIR/0001-layer_norm.problem …   one for each problem (autotune/pack/packed_problem.h)
//
// Records that the runner writes are those of a database like any other: `db merge` takes them in, and the answer is found here, by the
// code that answers after a search. Nobody searches on that machine: a pack holds all candidates within so many steps of the default as the
// effort says.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "autotune/search.h"

namespace normforge {

struct PackSummary {
  int problems = 0, candidates = 0, rejected = 0;
  bool gated = false;          ///< here; else where they are measured
  std::string no_machine_code; ///< why kernels of a GPU are PTX alone; empty: they are not
};

/// Makes `directory`, which must not be there or must be empty, whole or not at all. Of `options` counts what is neither about a database
/// nor about this machine. Throws UserError.
PackSummary write_pack(std::span<const Problem> problems, const SearchOptions &options, const std::string &directory,
                       const ShowProgress &progress);

} // namespace normforge
