// Which Records say nothing any more of what this build emits: they were measured by another compiler, are about another text of a norm, or
// time machine code that is not what their schedule compiles to now.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "autotune/database.h"
#include "codegen/package/kernel_cache.h"
#include "dsl/problem.h"

namespace normforge {

/// The problem that a Record is about, or nothing where this build knows its norm by another text, or not at all. Paths of norms start at
/// `directory`.
std::optional<Problem> known_problem(const RecordKey &, const std::string &directory);

/// Hashes of the machine code that a Record's schedule compiles to now; the Record's own `code` is left out of the key. A kernel is
/// compiled for a whole problem and measured at some of its shapes, so that it takes the problems to know, and several may hold a shape.
using EmittedCode = std::map<RecordKey, std::set<std::string>>;

/// Compiles, on `jobs` threads (0: one per core), every schedule that Records of this compiler have for shapes of `problems`. A schedule
/// that can no longer serve its problem emits nothing.
EmittedCode emitted_code(const Database &, std::span<const Problem> problems, const std::string &directory, const KernelCache &, int jobs);

/// Why a Record is superseded, in words that are the same for all that are so alike; empty: it is not, or no problem tells.
std::string superseded(const RecordKey &, const EmittedCode &, const std::string &directory);

} // namespace normforge
