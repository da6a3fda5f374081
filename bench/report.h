// The benchmark's two forms of output: a table for people, line by line as cells come in, and JSON for programs.
#pragma once

#include <string>
#include <vector>

#include "bench/compare.h"
#include "bench/compile_times.h"

namespace bench {

std::string legend();
std::string table_header();
std::string table_row(const Cell &);
std::string summary(const std::vector<Cell> &);
std::string to_text(const CompileTimes &);

std::string to_json(const std::vector<Cell> &, const std::vector<CompileTimes> &);

} // namespace bench
