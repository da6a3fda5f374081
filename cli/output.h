// What the verbs print and the files they leave.
#pragma once

#include <string>
#include <string_view>

namespace llvm::json {
class Value;
}

namespace normforge::cli {

/// Writes to standard output. Throws UserError when it cannot (a full disk, a closed pipe).
void print(std::string_view text);

/// Prints `value`, indented, with a newline after it.
void print_json(const llvm::json::Value &value);

/// The whole of a file. Throws UserError naming it.
std::string read_file(const std::string &path);

/// Writes a file beside `path` and renames it, so that `path` is either what it was or complete. Throws UserError naming it.
void write_file(const std::string &path, std::string_view bytes);

} // namespace normforge::cli
