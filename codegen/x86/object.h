// x86 machine code of a module of kernels.
#pragma once

#include <string>

#include "mlir/IR/BuiltinOps.h"

#include "codegen/backend.h"

namespace normforge::x86 {

struct ObjectOptions {
  int vector_bits; ///< registers wider than this are not used (prefer-vector-width)
};

/// Compiles a module as nest::translate() takes it, and returns a relocatable ELF object: position independent, no unwind tables, no
/// executable stack, no undefined symbol; its bytes depend on the arguments alone. Fills `text` where given. The module is left in the llvm
/// dialect. Throws InternalError with MLIR's or LLVM's diagnostics.
std::string compile_module(mlir::ModuleOp, const Target &, const ObjectOptions &, StageText *text = nullptr);

} // namespace normforge::x86
