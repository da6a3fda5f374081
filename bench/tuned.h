// Tuned kernels against the default ones, and against those of bench/hand where there are any. One search for a range of rows serves all
// shapes of a norm, an element type and a number of columns; rows that no search has measured ask whether that was enough.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/harness.h"
#include "bench/workload.h"
#include "codegen/target.h"

namespace bench {

struct TunedCase {
  std::string_view norm, element; ///< "f32", "bf16"
  Shape shape;
  int threads = 1;
  bool held_out = false; ///< a number of rows that lies between those that are measured
};

/// "layer_norm bf16 64x768".
std::string name(const TunedCase &);

std::span<const std::string_view> tuned_norms();
std::vector<Shape> tuned_shapes();

/// All norms with all shapes, in the order in which they share searches.
std::vector<TunedCase> tuned_cases(int threads);

/// Why a case is left out: "needs 2.0 GiB", "variance of one value"; empty: it is not.
std::string left_out(const TunedCase &);

struct TunedCell {
  std::string norm, element;
  Shape shape;
  int threads = 1;
  bool held_out = false;
  std::string target;
  double seconds = 0;        ///< a call by the default schedule
  Ratio tuned{1, 1, 1};      ///< tuned / default
  double noise = 0;          ///< of that comparison: a relative difference
  std::string choices;       ///< in which the tuned schedule differs; "default" where it does not
  std::optional<Ratio> own;  ///< held out: tuned for the range / tuned for these rows
  std::optional<Ratio> hand; ///< tuned / the plain hand-written kernel
  std::optional<Ratio> best; ///< tuned / the best hand-written kernel
  std::string best_hand;     ///< its name
};

struct TunedOptions {
  const normforge::Target *target = nullptr;
  double budget_seconds = 20; ///< of a search
  std::string database;       ///< searches go on where it ends
  int rounds = 25;            ///< of a comparison
};

/// Tunes what the case needs, unless the database has it, and compares. `said` is told what is going on.
TunedCell measure(const TunedCase &, const TunedOptions &, const std::function<void(const std::string &)> &said);

} // namespace bench
