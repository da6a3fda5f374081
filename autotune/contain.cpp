#include "autotune/contain.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dsl/error.h"

namespace normforge {
namespace {

using Clock = std::chrono::steady_clock;

/// What a message is, the first byte of its frame. Then its length in four bytes, then its text.
enum Frame : char { kMessage = 'm', kUserError = 'u', kInternalError = 'i', kFault = 'f', kDone = 'd' };
constexpr size_t kHeader = 5;
constexpr int kPollMilliseconds = 50; ///< how soon a stop is seen
constexpr double kPatience = 8;       ///< on a busy machine a child may wait this many times longer than it is allowed to work

void write_frame(int pipe, Frame kind, std::string_view text) {
  std::string bytes(1, kind);
  const auto length = uint32_t(text.size());
  bytes.append(reinterpret_cast<const char *>(&length), sizeof length).append(text);
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t count = ::write(pipe, bytes.data() + at, bytes.size() - at);
    if (count < 0 && errno != EINTR)
      ::_exit(1); // nobody listens any more
    at += size_t(std::max<ssize_t>(count, 0));
  }
}

[[noreturn]] void be_child(int pipe, const std::function<void(const Send &)> &work, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent)
    ::_exit(1);
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT})
    std::signal(signal, SIG_DFL);
  std::signal(SIGINT, SIG_IGN); // the parent decides
  std::signal(SIGTERM, SIG_DFL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  try {
    work([pipe](std::string_view message) { write_frame(pipe, kMessage, message); });
    write_frame(pipe, kDone, {});
  } catch (const UserError &error) {
    write_frame(pipe, kUserError, error.what());
  } catch (const Fault &fault) {
    write_frame(pipe, kFault, fault.what());
  } catch (const std::exception &error) {
    write_frame(pipe, kInternalError, error.what());
  }
  ::_exit(0);
}

struct Child {
  pid_t id;
  int pipe;

  /// Seconds that its threads have worked.
  double worked() const {
    clockid_t clock;
    timespec time{};
    if (::clock_getcpuclockid(id, &clock) == 0)
      ::clock_gettime(clock, &time);
    return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
  }

  ~Child() {
    ::close(pipe);
    if (id > 0) {
      ::kill(id, SIGKILL);
      reap();
    }
  }
  int reap() {
    int status = 0;
    while (::waitpid(id, &status, 0) < 0 && errno == EINTR) {
    }
    id = 0;
    return status;
  }
};

Child start(const std::function<void(const Send &)> &work) {
  int ends[2];
  if (::pipe(ends) != 0)
    throw UserError(std::string("cannot make a pipe: ") + std::strerror(errno));
  const pid_t parent = ::getpid(), id = ::fork();
  if (id < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    throw UserError(std::string("cannot start a process: ") + std::strerror(errno));
  }
  if (id == 0) {
    ::close(ends[0]);
    be_child(ends[1], work, parent);
  }
  ::close(ends[1]);
  return {id, ends[0]};
}

} // namespace

std::string Ending::text() const {
  switch (kind) {
  case finished: return "finished";
  case stopped: return "stopped";
  case silent: return "hang: nothing for " + std::to_string(int(limit + 0.5)) + " s";
  case crashed:
    if (!fault.empty())
      return "crash: " + fault;
    return signal ? "crash: signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")" : "crash: the process exited";
  }
  return {};
}

Ending run_contained(const std::function<void(const Send &)> &work, const std::function<void(std::string_view)> &receive,
                     double silence_seconds, const std::function<bool()> &stop) {
  Child child = start(work);
  std::string buffer;
  auto heard = Clock::now();
  double worked = child.worked(); // until then
  for (;;) {
    if (stop && stop())
      return {Ending::stopped};
    const double silence = std::chrono::duration<double>(Clock::now() - heard).count();
    if (silence > kPatience * silence_seconds || (silence > silence_seconds && child.worked() - worked > silence_seconds))
      return {Ending::silent, 0, silence_seconds};
    pollfd ready{child.pipe, POLLIN, 0};
    if (::poll(&ready, 1, kPollMilliseconds) <= 0)
      continue;
    char block[1 << 16];
    const ssize_t count = ::read(child.pipe, block, sizeof block);
    if (count < 0)
      continue;
    if (count == 0) {
      const int status = child.reap();
      return {Ending::crashed, WIFSIGNALED(status) ? WTERMSIG(status) : 0};
    }
    heard = Clock::now();
    worked = child.worked();
    buffer.append(block, size_t(count));
    size_t at = 0;
    for (uint32_t length; buffer.size() - at >= kHeader; at += kHeader + length) {
      std::memcpy(&length, buffer.data() + at + 1, sizeof length);
      if (buffer.size() - at < kHeader + length)
        break;
      const std::string_view text(buffer.data() + at + kHeader, length);
      switch (buffer[at]) {
      case kMessage: receive(text); break;
      case kUserError: throw UserError(std::string(text));
      case kInternalError: throw InternalError(std::string(text));
      case kFault: return {.kind = Ending::crashed, .fault = std::string(text)};
      case kDone: child.reap(); return {};
      }
    }
    buffer.erase(0, at);
  }
}

} // namespace normforge
