#include "cli/names.h"

#include <algorithm>

#include "dsl/norm.h"

namespace normforge::cli {

std::string join(const std::vector<std::string> &words, std::string_view between) {
  std::string text;
  for (const std::string &word : words)
    text.append(&word == words.data() ? "" : between).append(word);
  return text;
}

UserError unknown_name(std::string_view noun, std::string_view name, const std::vector<std::string> &known) {
  const std::string near = nearest_name(name, known);
  return UserError("unknown " + std::string(noun) + " '" + std::string(name) + "'" +
                   (near.empty() ? "" : "; did you mean '" + near + "'?") + " (there are: " + join(known, ", ") + ")");
}

void check_name(std::string_view noun, std::string_view name, const std::vector<std::string> &known) {
  if (std::ranges::find(known, name) == known.end())
    throw unknown_name(noun, name, known);
}

std::pair<std::string, std::string> split_assignment(std::string_view flag, const std::string &text) {
  const size_t equals = text.find('=');
  if (equals == text.npos || equals == 0 || equals + 1 == text.size())
    throw UserError(std::string(flag) + " " + text + ": expected NAME=VALUE");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

} // namespace normforge::cli
