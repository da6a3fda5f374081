// Hashes that stand in files: of machine code, of lines. The same on every machine and in every version.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace normforge {

/// XXH3, 64 bits.
uint64_t hash_of(std::string_view bytes);

/// 16 lowercase hexadecimal digits.
std::string hash_text(uint64_t hash);

} // namespace normforge
