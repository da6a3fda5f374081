// All kernels of a plan as one MLIR module, which becomes PTX or what the emulator runs.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include "codegen/backend.h"

namespace normforge::cuda {

struct KernelModule {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  Kernel facts; ///< but its code, and what it runs on
};

/// One llvm.func of that step's symbol per step. Throws UserError with the reason of inapplicable().
KernelModule emit_module(const Backend &, const SweepPlan &, const Schedule &, const Target &, const std::string &symbol);

} // namespace normforge::cuda
