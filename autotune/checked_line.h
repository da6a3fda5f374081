// Lines that know whether they are whole: `{"check":"0123456789abcdef",…}`, the hash of what follows the comma. Each is JSON for any other
// tool, and a byte that changed, or a piece that is missing, is found before anything is read from it.
#pragma once

#include <string>
#include <string_view>

namespace normforge {

/// The line, without a newline, for the text of a JSON object that has fields and no newline in it.
std::string checked_line(std::string_view object);

/// The text of that object. Throws UserError when `line` is no such line or the hash differs.
std::string checked_object(std::string_view line);

} // namespace normforge
