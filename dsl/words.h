// Names in messages: lists of them, and what a person who wrote one that is not known may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace normforge {

/// What stands between separators; an empty text is one empty word.
std::vector<std::string_view> split(std::string_view text, char separator);

std::string joined(const std::vector<std::string> &names, std::string_view between = ", ");

/// The names of axes, tensors, scalars.
template <class Item> std::vector<std::string> names_of(const std::vector<Item> &items) {
  std::vector<std::string> names;
  for (const Item &item : items)
    names.push_back(item.name);
  return names;
}

/// "; did you mean 'sweeps'?" with the name among `known` that is nearest by edit distance; nothing where none is near.
std::string did_you_mean(std::string_view name, const std::vector<std::string> &known);

/// As did_you_mean(); where no name is near, " (expected one of: norm, sweeps)".
std::string suggestion(std::string_view name, const std::vector<std::string> &known);

/// "unknown stage 'swep'; did you mean 'sweeps'? (there are: norm, sweeps)"
std::string unknown_name(std::string_view noun, std::string_view name, const std::vector<std::string> &known);

} // namespace normforge
