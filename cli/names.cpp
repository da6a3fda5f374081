#include "cli/names.h"

#include <algorithm>

#include "dsl/error.h"

namespace normforge::cli {

void check_name(std::string_view noun, std::string_view name, const std::vector<std::string> &known) {
  if (std::ranges::find(known, name) == known.end())
    throw UserError(unknown_name(noun, name, known));
}

std::pair<std::string, std::string> split_assignment(std::string_view flag, const std::string &text) {
  const size_t equals = text.find('=');
  if (equals == text.npos || equals == 0 || equals + 1 == text.size())
    throw UserError(std::string(flag) + " " + text + ": expected NAME=VALUE");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

} // namespace normforge::cli
