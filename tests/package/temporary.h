// A directory that is gone with the test.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdlib.h>
#include <string>

namespace normforge::testing {

class TemporaryDirectory {
public:
  TemporaryDirectory() {
    std::string pattern = std::filesystem::temp_directory_path() / "normforge-XXXXXX";
    root = ::mkdtemp(pattern.data());
  }
  TemporaryDirectory(const TemporaryDirectory &) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(root); }

  std::string operator/(const std::string &name) const { return root / name; }

private:
  std::filesystem::path root;
};

inline std::string contents(const std::filesystem::path &path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

inline void write(const std::filesystem::path &path, const std::string &bytes) { std::ofstream(path, std::ios::binary) << bytes; }

/// Every regular file below `directory`.
inline std::vector<std::string> files_below(const std::filesystem::path &directory) {
  std::vector<std::string> files;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(directory))
    if (entry.is_regular_file())
      files.push_back(entry.path());
  return files;
}

} // namespace normforge::testing
