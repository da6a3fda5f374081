#include "autotune/line_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dsl/error.h"

namespace normforge {
namespace {

[[noreturn]] void fail(const char *verb, const std::string &path, int error, const char *remark = "") {
  throw UserError(std::string("cannot ") + verb + " '" + path + "': " + std::strerror(error) + remark);
}

class File {
public:
  File(const std::string &path, int flags, mode_t mode = 0666) : handle(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  File(const File &) = delete;
  ~File() { close(); }

  bool is_open() const { return handle >= 0; }
  int number() const { return handle; }
  void close() {
    if (is_open())
      ::close(handle);
    handle = -1;
  }

  /// Waits for it. False, and errno, where the file system has no locks.
  bool lock(int kind) const {
    while (::flock(handle, kind) != 0)
      if (errno != EINTR)
        return false;
    return true;
  }

  struct stat status() const {
    struct stat status{};
    ::fstat(handle, &status);
    return status;
  }

  /// All of `text`, or false and errno.
  bool write(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t count = ::write(handle, text.data(), text.size());
      if (count < 0 && errno != EINTR)
        return false;
      text.remove_prefix(size_t(std::max<ssize_t>(count, 0)));
    }
    return true;
  }

  bool read_all(std::string &text) const {
    char block[1 << 16];
    for (ssize_t count; (count = ::read(handle, block, sizeof block)) != 0;) {
      if (count < 0 && errno != EINTR)
        return false;
      text.append(block, size_t(std::max<ssize_t>(count, 0)));
    }
    return true;
  }

private:
  int handle;
};

/// What `path` names where it is a link, which a rename must not replace.
std::string resolved(const std::string &path) {
  std::error_code failed;
  if (!std::filesystem::is_symlink(path, failed))
    return path;
  const std::filesystem::path real = std::filesystem::weakly_canonical(path, failed);
  return failed ? path : real.string();
}

/// A name that appeared in a directory is on disk once the directory is.
void sync_directory(const std::string &path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  if (const File directory(parent.empty() ? "." : parent, O_RDONLY | O_DIRECTORY); directory.is_open())
    ::fsync(directory.number());
}

/// Opens for writing and locks, makes the file where there is none, and calls `work` while the lock is held. A file that was made for work
/// that fails is gone again.
void with_lock(const char *verb, const std::string &path, const std::function<void(const File &)> &work) {
  for (;;) {
    const bool missing = ::access(path.c_str(), F_OK) != 0;
    const File file(path, O_RDWR | O_CREAT | O_APPEND);
    if (!file.is_open() || !file.lock(LOCK_EX))
      fail(verb, path, errno);
    struct stat named{};
    const struct stat held = file.status();
    if (::stat(path.c_str(), &named) == 0 && named.st_dev == held.st_dev && named.st_ino == held.st_ino)
      try {
        return work(file);
      } catch (...) {
        if (missing && file.status().st_size == 0)
          ::unlink(path.c_str());
        throw;
      }
  }
}

} // namespace

std::string read_lines(const std::string &path) {
  const File file(path, O_RDONLY);
  if (!file.is_open() && errno == ENOENT)
    return "";
  std::string text;
  if (!file.is_open())
    fail("read", path, errno);
  file.lock(LOCK_SH); // where there are no locks there are no writers of ours either
  if (!file.read_all(text))
    fail("read", path, errno);
  return text;
}

void append_lines(const std::string &path, std::string_view lines) {
  with_lock("append to", path, [&](const File &file) {
    const off_t size = file.status().st_size;
    char last = '\n';
    if (size > 0 && ::pread(file.number(), &last, 1, size - 1) != 1)
      fail("append to", path, errno);
    const std::string text = (last == '\n' ? "" : "\n") + std::string(lines);
    if (!file.write(text) || ::fsync(file.number()) != 0) {
      const int error = errno;
      if (::ftruncate(file.number(), size) != 0)
        fail("append to", path, error, "; its last line is incomplete");
      fail("append to", path, error, "; it is as it was");
    }
    if (size == 0)
      sync_directory(path);
  });
}

void rewrite_lines(const std::string &given, const std::function<std::string(const std::string &)> &change) {
  const std::string path = resolved(given), draft = path + ".partial";
  with_lock("write", path, [&](const File &file) {
    std::string text;
    if (!file.read_all(text))
      fail("read", path, errno);
    text = change(text);
    File copy(draft, O_WRONLY | O_CREAT | O_TRUNC);
    if (!copy.is_open())
      fail("write", draft, errno);
    ::fchmod(copy.number(), file.status().st_mode & 07777);
    if (!copy.write(text) || ::fsync(copy.number()) != 0 || std::rename(draft.c_str(), path.c_str()) != 0) {
      const int error = errno;
      ::unlink(draft.c_str());
      fail("write", path, error, "; it is as it was");
    }
    sync_directory(path);
  });
}

} // namespace normforge
