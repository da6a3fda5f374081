#include "codegen/toolchain.h"

#include "llvm/Config/llvm-config.h"

namespace normforge {

const std::string &toolchain() {
  static const std::string text = "normforge " NORMFORGE_VERSION " LLVM " LLVM_VERSION_STRING;
  return text;
}

} // namespace normforge
