// The runners of packs, carried inside normforge so that it needs no files of its own.
#pragma once

#include <string_view>

#include "codegen/target.h"

namespace normforge {

/// The program that measures what is compiled for `target`, an ELF file.
std::string_view runner(const Target &target);

} // namespace normforge
