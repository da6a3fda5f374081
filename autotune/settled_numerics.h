// Problems of one function in one band share a numerics half. Where a search may choose it, the first of them does for the others.
#pragma once

#include <map>
#include <string>

#include "autotune/choose.h"

namespace normforge {

/// The numerics halves that were settled while problems are answered one after the other.
class SettledNumerics {
public:
  /// Where an earlier problem of the function settled the half, it is that of the question's default, and no longer open.
  void apply(Question &) const;
  /// What the answer settles for its function.
  void learn(const Question &, const Answer &);

private:
  std::map<std::string, std::string> halves; ///< by text of band_of() (codegen/package/run_bands.h)
};

} // namespace normforge
