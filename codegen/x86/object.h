// LLVM IR to machine code: the optimizations that a kernel gets, and its function attributes.
#pragma once

#include <string>

#include "llvm/IR/Module.h"

#include "codegen/backend.h"
#include "codegen/target.h"

namespace normforge::x86 {

/// Optimizes `module` in place and returns it as a relocatable ELF object. `vector_bits`: wider registers are not used. Fills text->llvm
/// and text->assembly where `text` is given.
std::string emit_object(llvm::Module &module, const Target &target, int vector_bits, StageText *text);

} // namespace normforge::x86
