// The table of tuned kernels: rows as they come in, what holds over all of them, and a file of results, a line of JSON each, from which a
// later run goes on.
#pragma once

#include <string>
#include <vector>

#include "bench/tuned.h"

namespace bench {

std::string tuned_header();
std::string tuned_row(const TunedCell &);
std::string tuned_summary(const std::vector<TunedCell> &);

/// Whether a cell is of that case on that target.
bool answers(const TunedCell &, const TunedCase &, const normforge::Target &);

/// The cells of a file, which need not exist. Throws UserError naming the line for anything that is none.
std::vector<TunedCell> read_cells(const std::string &path);
void append_cell(const std::string &path, const TunedCell &);

} // namespace bench
