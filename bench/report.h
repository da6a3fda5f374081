// The benchmark's two forms of output: a table for people, line by line as cells come in, and JSON for programs.
#pragma once

#include <string>
#include <vector>

#include "bench/compare.h"
#include "bench/compile_times.h"
#include "bench/knobs.h"
#include "bench/search_quality.h"

namespace bench {

std::string legend();
std::string table_header();
std::string table_row(const Cell &);
std::string summary(const std::vector<Cell> &);
std::string to_text(const CompileTimes &);

std::string knob_header();
std::string knob_row(const KnobResult &);

struct Results {
  std::vector<Cell> speed;
  std::vector<KnobResult> knobs;
  std::vector<CompileTimes> compile;
  std::vector<SearchCell> search;
};
std::string to_json(const Results &);

} // namespace bench
