// Rendering of errors. Any bytes may stand in the text: columns count UTF-8 characters, what is no printable UTF-8 shows as '?', and of a
// very long line a window around the error is shown.
#include "dsl/diagnostics.h"

#include <algorithm>
#include <utility>

#include "dsl/error.h"

namespace normforge {
namespace {

constexpr size_t kMostErrors = 100;   ///< shown
constexpr size_t kMostRecorded = 200; ///< kept; a text with more is not read on
constexpr size_t kWindow = 120;       ///< bytes of a line that are shown

/// Bytes of the UTF-8 character that `bytes` begins with; 0 when that is none.
size_t character_length(std::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const size_t length = byte(0) < 0x80 ? 1 : byte(0) < 0xC2 ? 0 : byte(0) < 0xE0 ? 2 : byte(0) < 0xF0 ? 3 : byte(0) < 0xF5 ? 4 : 0;
  if (length > bytes.size())
    return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80)
      return 0;
  return length;
}

/// What can be shown of any bytes, and how many characters wide that is.
struct Shown {
  std::string text;
  size_t width = 0;
};
Shown shown(std::string_view bytes) {
  Shown out;
  for (; !bytes.empty(); ++out.width) {
    const size_t length = character_length(bytes);
    const unsigned char first = static_cast<unsigned char>(bytes[0]);
    if (length == 0 || first < 0x20 || first == 0x7F)
      out.text += first == '\t' ? ' ' : '?';
    else
      out.text += bytes.substr(0, length);
    bytes.remove_prefix(std::max<size_t>(1, length));
  }
  return out;
}

} // namespace

void Diagnostics::error(Span at, std::string message) {
  if (!errors.empty() && errors.back().at.offset == at.offset)
    return;
  dropped |= errors.size() == kMostRecorded;
  if (!dropped)
    errors.push_back({at, std::move(message)});
}

std::string Diagnostics::render(const Error &error, size_t line, size_t line_begin) const {
  const size_t line_end = std::min(text.find('\n', line_begin), text.size());
  const size_t column = std::min(error.at.offset, line_end) - line_begin;
  std::string_view whole = text.substr(line_begin, line_end - line_begin);
  const size_t from = whole.size() > kWindow && column > kWindow / 2 ? column - kWindow / 2 : 0;
  const std::string_view window = whole.substr(from, kWindow);
  const std::string_view before = window.substr(0, column - from), marked = window.substr(before.size()).substr(0, error.at.length);

  std::string out;
  out.append(file).append(":").append(std::to_string(line)).append(":");
  out.append(std::to_string(shown(whole.substr(0, column)).width + 1)).append(": ").append(error.message);
  out.append("\n  ").append(shown(window).text);
  out.append("\n  ").append(shown(before).width, ' ').append("^").append(std::max<size_t>(1, shown(marked).width) - 1, '~');
  return out;
}

void Diagnostics::throw_if_any() const {
  if (errors.empty())
    return;
  std::vector<Error> sorted = errors;
  std::ranges::sort(sorted, {}, [](const Error &e) { return std::pair(e.at.offset, std::string_view(e.message)); });
  std::string out;
  size_t line = 1, line_begin = 0;
  for (size_t i = 0; i < std::min(sorted.size(), kMostErrors); ++i) {
    for (size_t at; (at = text.find('\n', line_begin)) != text.npos && at < sorted[i].at.offset; line_begin = at + 1)
      ++line;
    out += (i ? "\n" : "") + render(sorted[i], line, line_begin);
  }
  if (sorted.size() > kMostErrors)
    out +=
        "\n" + std::string(file) + ": and " + (dropped ? "more than " : "") + std::to_string(sorted.size() - kMostErrors) + " errors more";
  throw UserError(out);
}

std::string quoted(std::string_view name) {
  constexpr size_t kLongest = 64;
  return "'" + shown(name.substr(0, kLongest)).text + (name.size() > kLongest ? "…'" : "'");
}

} // namespace normforge
