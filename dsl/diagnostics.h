// Caret diagnostics: where in a text, what was got, what was expected, the line itself. Errors are collected, so that a person sees all of
// a file's mistakes at once, and thrown together.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace normforge {

/// A stretch of a text, in bytes.
struct Span {
  size_t offset = 0;
  size_t length = 0;
};

class Diagnostics {
public:
  /// `file` opens every message. Both views must outlive this.
  Diagnostics(std::string_view text, std::string_view file) : text(text), file(file) {}

  /// Records an error; a second one at the same place is dropped, for it follows from the first.
  void error(Span at, std::string message);
  size_t count() const { return errors.size(); }
  /// More errors than anyone reads: what records them should stop.
  bool full() const { return dropped; }

  /// Throws one UserError with every recorded error, in the order of the text, when there is any.
  void throw_if_any() const;

private:
  struct Error {
    Span at;
    std::string message;
  };
  std::string render(const Error &, size_t line, size_t line_begin) const;

  std::string_view text, file;
  std::vector<Error> errors;
  bool dropped = false; ///< errors past the most that are kept
};

/// 'name' in quotes, shortened where it is very long.
std::string quoted(std::string_view name);

} // namespace normforge
