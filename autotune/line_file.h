// A file of lines that many processes add to, and that any of them may be killed in the middle of. What keeps it whole:
//
// - A writer holds an exclusive flock on the file, which ends with the process. One that waited for a file which was renamed away meanwhile
//   takes the lock on the new one.
// - Lines are added by one write and one fsync. Where that fails, the file is cut back to where it ended.
// - A line without its newline is what a killed writer left; the next writer ends it, and readers find that it is damaged.
// - The whole is replaced by a rename. A draft that a killed writer left is written over by the next.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace normforge {

/// The text of a file, read while nobody writes; empty where there is none. Throws UserError when it cannot be read.
std::string read_lines(const std::string &path);

/// Adds `lines`, each with its newline, on disk when this returns. Makes the file where there is none. Throws UserError, and then leaves
/// the file as it was.
void append_lines(const std::string &path, std::string_view lines);

/// Replaces the file by `change` of its text while nobody else writes. Throws UserError, and then leaves the file as it was.
void rewrite_lines(const std::string &path, const std::function<std::string(const std::string &)> &change);

} // namespace normforge
