// Would the tests notice? From a kernel, each shuffle and barrier that its threads meet at, each copy to shared memory with its fill of
// zeros, and each wait for copies is left out in turn. Such a mutant is caught when the emulator stops it, or an output's bits change. It
// is shown equivalent where what is missing
// - is a barrier and, without it, every two accesses of the same memory are still ordered: the accesses of a kernel depend on extents and
//   alignment alone, so no order of threads can then change a bit; or
// - is a shuffle that gives each thread the word that it has: the lanes are empty at these extents, or the word is a maximum that all have
//   found, whose zero may have another sign, which on rows of zeros of both signs changes no output; or
// - is a group of copies or a wait for some, and there are none: rows that are not aligned for copies are read instead; or
// - is a fill with zeros, and NaNs in their place change no output: what is there is not used.
// All others have escaped.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/schedule.h"
#include "dsl/problem.h"

namespace normforge::testing {

/// What came of leaving out meetings of a kind.
struct Count {
  int stopped = 0, changed = 0; ///< caught by the emulator, by an output's bits
  int equivalent = 0, escaped = 0;
  int unreached = 0; ///< in code for other alignments or extents than those tried
  int caught() const { return stopped + changed; }
  Count &operator+=(const Count &other) {
    stopped += other.stopped, changed += other.changed, equivalent += other.equivalent, escaped += other.escaped,
        unreached += other.unreached;
    return *this;
  }
};

struct Tally {
  std::map<std::string, Count> kinds;
  std::vector<std::string> escaped;
  int large = 0; ///< kernels of so many meetings that only the long run tries them
  Count sum() const {
    Count all;
    for (const auto &[kind, count] : kinds)
      all += count;
    return all;
  }
};

/// Prints how many were caught, of each kind, and which escaped.
void report(const Tally &);

/// Whether a maximum or a minimum of the norm shows which lanes it heard of.
bool has_extrema(const Norm &);

/// Tries a kernel's mutants, and counts what becomes of them. `all_extents`: of one call or, of a problem whose extents are open, several.
void try_mutants(const Problem &, const std::vector<std::vector<int64_t>> &all_extents, const Schedule &, const std::string &name, Tally &);

} // namespace normforge::testing
