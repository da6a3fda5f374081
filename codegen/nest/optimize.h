// LLVM's part in a kernel, for any machine: the optimizations that it gets, and its code as text or bytes.
#pragma once

#include <optional>
#include <string>

#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

#include "codegen/target.h"

namespace normforge::nest {

/// The machine of `target`, made once for each thread: that takes longer than a small kernel. No fusing of multiplies with adds. LLVM knows
/// the code generator of `triple` already. `features`: beside those of the target's CPU.
llvm::TargetMachine &target_machine(const Target &target, const char *triple, std::optional<llvm::CodeModel::Model> = std::nullopt,
                                    const char *features = "");

/// Tidies every function in place.
void optimize(llvm::Module &module, llvm::TargetMachine &machine);

/// The machine code of `module`, which is used up.
std::string generate(llvm::Module &module, llvm::TargetMachine &machine, llvm::CodeGenFileType type);

} // namespace normforge::nest
