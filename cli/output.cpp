#include "cli/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

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

void warn(const std::string &text) { std::fprintf(stderr, "normforge: %s\n", text.c_str()); }

} // namespace normforge::cli
