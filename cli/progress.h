// What a person sees of a search while it runs: on a terminal one line that is written over, elsewhere a plain line now and then.
#pragma once

#include <chrono>
#include <string>

#include "autotune/search.h"

namespace normforge::cli {

/// "1.34x (1.29x to 1.38x)": how many times as fast as the default.
std::string gain_text(const LogRatio &);

/// "12 s", "3 min 20 s".
std::string duration_text(double seconds);

class ProgressLine {
public:
  ProgressLine();
  void show(const Progress &);
  /// Takes the line away, so that something else can be printed.
  void clear();

private:
  bool terminal;
  int written = 0; ///< problem that a plain line was last written for
  std::chrono::steady_clock::time_point last{};
};

} // namespace normforge::cli
