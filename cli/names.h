// Words that people write: looked up, and split at '='.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "dsl/words.h"

namespace normforge::cli {

/// Throws a UserError, unknown_name(), unless `name` is among `known`.
void check_name(std::string_view noun, std::string_view name, const std::vector<std::string> &known);

/// "x=x.npy" as its two sides. Throws UserError, opening with `flag`, when there is no '=', or nothing on a side of it.
std::pair<std::string, std::string> split_assignment(std::string_view flag, const std::string &text);

} // namespace normforge::cli
