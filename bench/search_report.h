// What is printed of the search's quality: a row for each problem, then what holds over all of them.
#pragma once

#include <string>
#include <vector>

#include "bench/search_quality.h"

namespace llvm::json {
class Value;
}

namespace bench {

std::string search_header();
std::string search_row(const SearchCell &);
/// Medians over the problems, and how far behind the best a search is as time goes by.
std::string search_summary(const std::vector<SearchCell> &);
std::string false_winners_text(int winners, int runs);
llvm::json::Value search_json(const std::vector<SearchCell> &);

} // namespace bench
