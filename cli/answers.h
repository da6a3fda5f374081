// What a search found, in words and as lines of a lockfile.
#pragma once

#include <string>

#include "autotune/lockfile.h"
#include "autotune/search.h"

namespace normforge::cli {

/// A few lines on one problem: a line for each band of its range, and what was rejected.
std::string summary(const SearchResult &);

/// A lockfile; one that doesn't exist is empty. Throws UserError.
Lockfile read_lockfile(const std::string &path);

/// Puts the choices for a problem in place of those that a lockfile has for it.
void put_entries(Lockfile &, const Problem &problem, const Target &target, const std::vector<LockEntry> &entries);

} // namespace normforge::cli
