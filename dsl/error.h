// Two kinds of failure, kept apart as Halide does: a person's mistake (UserError: one clear line, or caret diagnostics; exit 1)
// and a bug of ours (internal_check: file and line; exit 2).
#pragma once

#include <stdexcept>
#include <string>

namespace normforge {

/// Something the person can mend. `what()` is what they read: where, what was got, what was expected, what to do. Lowercase, no
/// trailing newline; several lines only for the caret diagnostics of a `.norm` file.
struct UserError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A bug in normforge: `what()` carries file and line.
struct InternalError : std::logic_error {
  using std::logic_error::logic_error;
};

/// Throws InternalError when `ok` is false.
#define internal_check(ok)                                                                                                                 \
  ((ok) ? (void)0 : throw ::normforge::InternalError(std::string(__FILE__) + ":" + std::to_string(__LINE__) + ": " #ok))

} // namespace normforge
