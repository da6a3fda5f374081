#include "cli/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include <unistd.h>

#include "dsl/error.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

namespace normforge::cli {
namespace {

using File = std::unique_ptr<FILE, decltype(&std::fclose)>;

UserError cannot(const char *verb, const std::string &path) {
  return UserError(std::string("cannot ") + verb + " '" + path + "': " + std::strerror(errno));
}

} // namespace

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw UserError(std::string("cannot write to standard output: ") + std::strerror(errno));
}

void print_json(const llvm::json::Value &value) { print(llvm::formatv("{0:2}\n", value).str()); }

std::string read_file(const std::string &path) {
  const File file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file)
    throw cannot("read", path);
  std::string bytes;
  char block[1 << 16];
  while (const size_t count = std::fread(block, 1, sizeof block, file.get()))
    bytes.append(block, count);
  if (std::ferror(file.get()))
    throw cannot("read", path);
  return bytes;
}

void write_file(const std::string &path, std::string_view bytes) {
  const std::string beside = path + ".partial-" + std::to_string(::getpid());
  File file(std::fopen(beside.c_str(), "wb"), std::fclose);
  if (!file)
    throw cannot("write", path);
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size();
  if (std::fclose(file.release()) != 0 || !written || std::rename(beside.c_str(), path.c_str()) != 0) {
    const UserError error = cannot("write", path);
    std::remove(beside.c_str());
    throw error;
  }
}

} // namespace normforge::cli
