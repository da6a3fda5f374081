// Which normforge and which code generator below it made a kernel, as Records and lockfiles name them: a time that was measured with one is
// no promise for another.
#pragma once

#include <string>

namespace normforge {

/// "normforge 0.1.0 LLVM 22.1.8"
const std::string &toolchain();

} // namespace normforge
