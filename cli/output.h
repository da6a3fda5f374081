// What the verbs print and read.
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

/// Says on standard error what is not as it should be, but no reason to stop.
void warn(const std::string &text);

} // namespace normforge::cli
