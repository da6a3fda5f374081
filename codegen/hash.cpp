#include "codegen/hash.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

namespace normforge {

uint64_t hash_of(std::string_view bytes) { return llvm::xxh3_64bits(llvm::StringRef(bytes)); }

std::string hash_text(uint64_t hash) {
  std::string digits = llvm::utohexstr(hash, /*LowerCase=*/true);
  return std::string(16 - digits.size(), '0') + digits;
}

} // namespace normforge
