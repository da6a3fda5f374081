// A kernel as bytes: the SHA-256 of what follows, a newline, its facts as one line of JSON, a newline, its object and its image. What the
// cache of compiled kernels keeps, and what is measured on other machines.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "codegen/kernel.h"

namespace normforge {

std::string to_bytes(const Kernel &);

/// Nothing where the bytes are damaged, or another version wrote them.
std::optional<Kernel> parse_kernel(std::string_view bytes);

} // namespace normforge
