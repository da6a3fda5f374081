// MLIR to LLVM IR by one dialect conversion. The structured loops become branches first; everything else is converted in one step, which is
// several times faster than a pass per dialect. An operation without a pattern is an error; there is no lowering to libm.
#include "codegen/nest/pipeline.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Index/IR/IndexDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Dialect/Vector/Transforms/VectorRewritePatterns.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/DialectConversion.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"

#include "dsl/error.h"

namespace normforge::nest {
namespace {

mlir::LogicalResult lower_loops(mlir::ModuleOp module) {
  mlir::RewritePatternSet patterns(module.getContext());
  mlir::populateSCFToControlFlowConversionPatterns(patterns);
  mlir::ConversionTarget target(*module.getContext());
  target.addIllegalDialect<mlir::scf::SCFDialect>();
  target.markUnknownOpDynamicallyLegal([](mlir::Operation *) { return true; });
  return mlir::applyPartialConversion(module, target, std::move(patterns));
}

mlir::LogicalResult lower_to_llvm_dialect(mlir::ModuleOp module) {
  mlir::LLVMTypeConverter types(module.getContext());
  mlir::RewritePatternSet patterns(module.getContext());
  mlir::vector::populateVectorInsertExtractStridedSliceTransforms(patterns);
  mlir::vector::populateVectorStepLoweringPatterns(patterns);
  // Lane numbers fit 32 bits, and their compares then fill whole registers.
  mlir::vector::populateVectorMaskMaterializationPatterns(patterns, /*force32BitVectorIndices=*/true);
  mlir::populateVectorToLLVMConversionPatterns(types, patterns, /*reassociateFPReductions=*/false, /*force32BitVectorIndices=*/true);
  mlir::populateMathToLLVMConversionPatterns(types, patterns, /*approximateLog1p=*/false);
  mlir::arith::populateArithToLLVMConversionPatterns(types, patterns);
  mlir::index::populateIndexToLLVMConversionPatterns(types, patterns);
  mlir::cf::populateControlFlowToLLVMConversionPatterns(types, patterns);
  mlir::populateFuncToLLVMConversionPatterns(types, patterns);
  mlir::LLVMConversionTarget target(*module.getContext());
  target.addLegalOp<mlir::ModuleOp>();
  target.addLegalDialect<mlir::NVVM::NVVMDialect>();
  return mlir::applyFullConversion(module, target, std::move(patterns));
}

} // namespace

mlir::MLIRContext &thread_context() {
  thread_local std::unique_ptr<mlir::MLIRContext> context = [] {
    mlir::DialectRegistry registry;
    mlir::registerBuiltinDialectTranslation(registry);
    mlir::registerLLVMDialectTranslation(registry);
    mlir::registerNVVMDialectTranslation(registry);
    auto made = std::make_unique<mlir::MLIRContext>(registry, mlir::MLIRContext::Threading::DISABLED);
    made->loadDialect<mlir::arith::ArithDialect, mlir::cf::ControlFlowDialect, mlir::func::FuncDialect, mlir::index::IndexDialect,
                      mlir::LLVM::LLVMDialect, mlir::math::MathDialect, mlir::NVVM::NVVMDialect, mlir::scf::SCFDialect,
                      mlir::vector::VectorDialect>();
    return made;
  }();
  return *context;
}

std::unique_ptr<llvm::Module> translate(mlir::ModuleOp module, llvm::LLVMContext &context, StageText *text) {
  std::string diagnostics;
  mlir::ScopedDiagnosticHandler collect(module.getContext(), [&](mlir::Diagnostic &diagnostic) {
    diagnostics += (diagnostics.empty() ? "" : "; ") + diagnostic.str();
    return mlir::success();
  });
  if (text) {
    llvm::raw_string_ostream stream(text->mlir);
    module.print(stream);
  }
  if (mlir::failed(lower_loops(module)) || mlir::failed(lower_to_llvm_dialect(module)))
    throw InternalError("lowering to the llvm dialect failed: " + diagnostics);
  std::unique_ptr<llvm::Module> translated = mlir::translateModuleToLLVMIR(module, context);
  if (!translated)
    throw InternalError("translation to LLVM IR failed: " + diagnostics);
  return translated;
}

} // namespace normforge::nest
