// From MLIR to an object file: dialect conversion, translation to LLVM IR, a short list of optimizations of our own, instruction
// selection. LLVM's -O3 pipeline is not used because it undoes schedules (it unrolls, and merges loads across sweeps).
#pragma once

#include <memory>
#include <string>

#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"

#include "codegen/backend.h"
#include "codegen/target.h"

namespace normforge::x86 {

/// A module of llvm.func over scf, cf, arith, math, vector, index, llvm and nvvm as LLVM IR. The module is left in the llvm dialect. Throws
/// InternalError with MLIR's diagnostics.
std::unique_ptr<llvm::Module> translate(mlir::ModuleOp, llvm::LLVMContext &, StageText *text = nullptr);

struct PipelineOptions {
  int vector_bits; ///< registers wider than this are not used (prefer-vector-width)
};

/// Compiles a module of func.func or llvm.func over scf, cf, arith, math, vector, index and llvm, and returns a relocatable ELF object:
/// position independent, no unwind tables, no executable stack, no undefined symbol; its bytes depend on the arguments alone.
/// Fills `text` where given. The module is left in the llvm dialect. Throws InternalError with MLIR's or LLVM's diagnostics.
std::string compile_module(mlir::ModuleOp, const Target &, const PipelineOptions &, StageText *text = nullptr);

/// This thread's context, with those dialects loaded and multithreading off.
mlir::MLIRContext &thread_context();

} // namespace normforge::x86
