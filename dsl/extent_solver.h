// Solving for extents: every axis and split is an unknown list of dimensions; arrays and binds are equations. Each round learns what
// follows without choice; when a round learns nothing, an array with as many dimensions as entries may give one to each, and then rounds go
// on. Every learned value remembers where it came from, so that a contradiction names both sides.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dsl/norm.h"

namespace normforge {

using Dims = std::vector<int64_t>;

struct ExtentSolver {
  struct Unknown {
    std::string name;
    bool pack = false;
    std::optional<Dims> dims = {};
    std::string origin = {};
  };
  struct Array {
    const Tensor *tensor;
    Dims dims;
    std::vector<int> entries; ///< unknowns, in memory order
    bool done = false;
  };

  explicit ExtentSolver(const Norm &norm);

  /// An equation: what is known of an unknown, and where from.
  void learn(int unknown, Dims dims, const std::string &origin);

  /// Finds every unknown. Throws all contradictions, or what stays open and how to say it.
  void solve();

  void error(std::string message);
  void throw_errors() const;
  int unknown_named(std::string_view name) const; ///< -1: there is none

  const Norm &norm;
  const Program &program = norm.program;
  std::vector<Unknown> unknowns; ///< axes, then splits
  std::vector<Array> arrays;

private:
  void distribute(Array &, int open);
  void relate_splits();
  void report_open();
  std::vector<int> open_packs(const Array &) const;
  std::string described(const Array &) const;
  std::string known_packs(const Array &) const;

  std::vector<std::string> errors;
  bool progress = false;
};

} // namespace normforge
