#include "codegen/package/files.h"

#include <deque>
#include <filesystem>
#include <unistd.h>

#include "dsl/error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

namespace normforge {
namespace {

/// A file written beside its place; gone with the object unless it was renamed.
class Draft {
public:
  explicit Draft(const OutputFile &output) : path(output.path) {
    std::error_code failed;
    const std::filesystem::path directory = std::filesystem::path(path).parent_path();
    if (!directory.empty())
      std::filesystem::create_directories(directory, failed);
    if (failed)
      throw cannot(failed.message());
    llvm::Expected<llvm::sys::fs::TempFile> created = llvm::sys::fs::TempFile::create(path + ".partial-%%%%%%%%");
    if (!created)
      throw cannot(llvm::toString(created.takeError()));
    file.emplace(std::move(*created));
    llvm::raw_fd_ostream out(file->FD, /*shouldClose=*/false);
    out << output.bytes;
    out.flush();
    if (out.has_error()) {
      const std::string reason = out.error().message();
      out.clear_error();
      llvm::consumeError(file->discard());
      file.reset();
      throw cannot(reason);
    }
  }
  Draft(const Draft &) = delete;
  ~Draft() {
    if (file)
      llvm::consumeError(file->discard());
  }

  void rename() {
    llvm::Error error = file->keep(path);
    file.reset();
    if (error)
      throw cannot(llvm::toString(std::move(error)));
  }

private:
  UserError cannot(const std::string &reason) const { return UserError("cannot write '" + path + "': " + reason); }

  std::string path;
  std::optional<llvm::sys::fs::TempFile> file;
};

} // namespace

void write_files(const std::vector<OutputFile> &files) {
  std::deque<Draft> drafts;
  for (const OutputFile &file : files)
    drafts.emplace_back(file);
  for (Draft &draft : drafts)
    draft.rename();
}

void make_writable_directory(const std::string &path) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (!failed && ::access(path.c_str(), W_OK | X_OK) != 0)
    failed = std::error_code(errno, std::generic_category());
  if (failed)
    throw UserError("cannot write into '" + path + "': " + failed.message());
}

} // namespace normforge
