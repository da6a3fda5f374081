// The search for one problem, of those that search() goes through.
#pragma once

#include "autotune/machine.h"
#include "autotune/search.h"

namespace normforge {

/// Explores, confirms and chooses within so many seconds. Records go to the options' database, and to `known`, which is what it held
/// before.
SearchResult search_problem(const Question &, const SearchOptions &, const Machine &, Database &known, double seconds, Progress progress,
                            const ShowProgress &show, const std::function<bool()> &stop);

} // namespace normforge
