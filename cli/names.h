// Words that people write: joined, split at '=', looked up with a suggestion.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "dsl/error.h"

namespace normforge::cli {

std::string join(const std::vector<std::string> &words, std::string_view between);

/// "unknown stage 'swep'; did you mean 'sweeps'? (there are: norm, sweeps, …)"
UserError unknown_name(std::string_view noun, std::string_view name, const std::vector<std::string> &known);

/// Throws unknown_name() unless `name` is among `known`.
void check_name(std::string_view noun, std::string_view name, const std::vector<std::string> &known);

/// "x=x.npy" as its two sides. Throws UserError, opening with `flag`, when there is no '=', or nothing on a side of it.
std::pair<std::string, std::string> split_assignment(std::string_view flag, const std::string &text);

} // namespace normforge::cli
