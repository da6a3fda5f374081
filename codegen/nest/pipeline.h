// From MLIR to LLVM IR: where every kernel becomes what LLVM compiles (nest/optimize.h), whatever the machine.
#pragma once

#include <memory>
#include <string>

#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"

#include "codegen/backend.h"

namespace normforge::nest {

/// A module of func.func or llvm.func over scf, cf, arith, math, vector, index, llvm and nvvm as LLVM IR. The module is left in the llvm
/// dialect. Throws InternalError with MLIR's diagnostics.
std::unique_ptr<llvm::Module> translate(mlir::ModuleOp, llvm::LLVMContext &, StageText *text = nullptr);

/// This thread's context, with those dialects loaded and multithreading off.
mlir::MLIRContext &thread_context();

} // namespace normforge::nest
