// What a search found, in words and as lines of a lockfile.
#pragma once

#include <string>

#include "autotune/lockfile.h"
#include "autotune/search.h"
#include "cli/options.h"

namespace llvm::json {
class Value;
}

namespace normforge::cli {

/// A few lines on one problem: a line for each band of its range, what was rejected, and whether bits change.
std::string summary(const SearchResult &);

/// The same for programs.
llvm::json::Value json(const SearchResult &);

/// "1 shape", "2 shapes".
std::string counted(size_t count, std::string_view noun);

/// The question that a database's Records answer for a problem. Where no device is named it is this machine if it has Records, else the one
/// that has. Throws UserError when there are none, or several devices to choose from.
Question stored_question(const Database &, const Problem &, const RecordFlags &);

/// A database whose damaged lines are warned of.
Database load_database(const std::string &path);

/// A lockfile; one that doesn't exist is empty. Throws UserError.
Lockfile read_lockfile(const std::string &path);

/// Puts the choices for a problem in place of those that a lockfile has for it.
void put_entries(Lockfile &, const Problem &problem, const Target &target, const std::vector<LockEntry> &entries);

} // namespace normforge::cli
