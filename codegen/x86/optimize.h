// LLVM's part in a kernel, for any machine: the optimizations that it gets, and its code as text or bytes.
#pragma once

#include <string>

#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace normforge::x86 {

/// Tidies every function in place.
void optimize(llvm::Module &module, llvm::TargetMachine &machine);

/// The machine code of `module`, which is used up.
std::string generate(llvm::Module &module, llvm::TargetMachine &machine, llvm::CodeGenFileType type);

} // namespace normforge::x86
