// Rendering of errors. Any bytes may stand in the text: columns count UTF-8 characters, unprintable bytes show as '?', and of a very long line
// a window around the error is shown.
#include "dsl/diagnostics.h"

#include <algorithm>
#include <utility>

#include "dsl/error.h"

namespace normforge {
namespace {

constexpr size_t kMostErrors = 100;   ///< shown
constexpr size_t kMostRecorded = 200;  ///< kept; the rest is counted
constexpr size_t kWindow = 120;     ///< bytes of a line that are shown

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

size_t characters(std::string_view bytes) {
  return size_t(std::ranges::count_if(bytes, [](char c) { return !continues_character(c); }));
}

std::string shown(std::string_view bytes) {
  std::string out(bytes);
  for (char &c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      c = c == '\t' ? ' ' : '?';
  return out;
}

} // namespace

void Diagnostics::error(Span at, std::string message) {
  if (!errors.empty() && errors.back().at.offset == at.offset)
    return;
  if (errors.size() == kMostRecorded)
    ++unrecorded;
  else
    errors.push_back({at, std::move(message)});
}

std::string Diagnostics::render(const Error &error, size_t line, size_t line_begin) const {
  const size_t line_end = std::min(text.find('\n', line_begin), text.size());
  const size_t column = std::min(error.at.offset, line_end) - line_begin;
  std::string_view whole = text.substr(line_begin, line_end - line_begin);
  const size_t from = whole.size() > kWindow && column > kWindow / 2 ? column - kWindow / 2 : 0;
  const std::string_view window = whole.substr(from, kWindow);
  const size_t marked = std::clamp<size_t>(error.at.length, 1, std::max<size_t>(1, window.size() - std::min(window.size(), column - from)));

  std::string out;
  out.append(file).append(":").append(std::to_string(line)).append(":");
  out.append(std::to_string(characters(whole.substr(0, column)) + 1)).append(": ").append(error.message);
  out.append("\n  ").append(shown(window));
  out.append("\n  ").append(characters(window.substr(0, column - from)), ' ').append("^");
  out.append(std::max<size_t>(1, characters(window.substr(std::min(window.size(), column - from), marked))) - 1, '~');
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
  if (count() > kMostErrors)
    out += "\n" + std::string(file) + ": and " + std::to_string(count() - kMostErrors) + " errors more";
  throw UserError(out);
}

std::string quoted(std::string_view name) {
  constexpr size_t kLongest = 64;
  return "'" + shown(name.substr(0, kLongest)) + (name.size() > kLongest ? "…'" : "'");
}

} // namespace normforge
