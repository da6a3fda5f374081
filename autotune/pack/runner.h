// The runner of a pack, carried inside normforge so that it needs no file of its own.
#pragma once

#include <string_view>

namespace normforge {

/// The program, an ELF file.
std::string_view runner();

} // namespace normforge
