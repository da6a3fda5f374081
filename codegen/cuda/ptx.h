// LLVM IR to PTX: the text that a driver compiles for the GPU that it finds, and ptxas for one that is named.
#pragma once

#include <string>

#include "llvm/IR/Module.h"

#include "codegen/backend.h"

namespace normforge::cuda {

/// Optimizes `module` in place and returns its PTX. Fills text->llvm and text->assembly where `text` is given.
std::string emit_ptx(llvm::Module &module, const Target &, StageText *text);

} // namespace normforge::cuda
