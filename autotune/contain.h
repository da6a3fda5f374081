// Generated code is run in a child process: a kernel that crashes or never returns ends the child, and the search goes on.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace normforge {

/// Thrown by work whose process is of no use any more, though it runs: what a kernel did on a GPU spoils all that follows there.
struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// How a child ended.
struct Ending {
  enum Kind { finished, crashed, silent, stopped } kind = finished;
  int signal = 0; ///< crashed: by which signal; 0: it exited early

  double limit = 0;  ///< silent: seconds that were allowed
  std::string fault; ///< crashed: what the Fault said, where there was one

  /// "crash: signal 11 (Segmentation fault)" or "hang: nothing for 10 s", as a Record has it.
  std::string text() const;
};

using Send = std::function<void(std::string_view message)>;

/// Runs work(send) in a child process and hands what it sends to `receive`, here. The child is killed when it has worked for
/// `silence_seconds` and sent nothing (or has waited for several times as long, on a busy machine), or when stop() says so; it dies with
/// this process. What `work` throws, but for a Fault, is thrown here, with its kind and text. No other thread of this process may run
/// meanwhile.
Ending run_contained(const std::function<void(const Send &)> &work, const std::function<void(std::string_view)> &receive,
                     double silence_seconds, const std::function<bool()> &stop);

} // namespace normforge
