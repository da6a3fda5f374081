// Files that appear by rename: each is what it was before, or complete.
#pragma once

#include <string>
#include <vector>

namespace normforge {

struct OutputFile {
  std::string path;
  std::string bytes;
};

/// Writes every file beside its place, directories as needed, and only when all are written renames them. Throws UserError and changes none
/// when one cannot be written.
void write_files(const std::vector<OutputFile> &files);

/// Makes a directory, with its parents. Throws UserError when that fails or nothing can be written there.
void make_writable_directory(const std::string &path);

} // namespace normforge
