// What tells two databases apart: the Records that one of them lacks, those that hold other samples, and the shapes at which the answer,
// which schedule is fastest, has changed.
#pragma once

#include <string>
#include <vector>

#include "autotune/choose.h"
#include "autotune/database.h"

namespace normforge {

/// What a database says of one shape.
struct ShapeAnswer {
  std::string schedule; ///< the fastest; the default where nothing is faster beyond noise; empty: nothing was measured
  double gain = 1;      ///< time of the default over its own
  bool operator==(const ShapeAnswer &) const = default;
};

struct ChangedAnswer {
  std::string problem, target, compiler, device; ///< as in RecordKey
  int threads = 1;
  ShapeAnswer before, after;
};

struct DatabaseDiff {
  std::vector<RecordKey> added, removed;
  std::vector<RecordKey> changed; ///< in both, with other samples or another verdict
  std::vector<ChangedAnswer> answers;
  int unknown = 0; ///< shapes whose answers cannot be told: their norm is not there, or has another text now
};

/// Paths of norms start at `directory`.
DatabaseDiff diff(const Database &before, const Database &after, const std::string &directory);

} // namespace normforge
