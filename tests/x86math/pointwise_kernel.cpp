#include "tests/x86math/pointwise_kernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include "codegen/hash.h"
#include "codegen/image.h"
#include "codegen/nest/convert.h"
#include "codegen/nest/pipeline.h"
#include "codegen/x86/object.h"

namespace normforge::x86 {

using namespace nest;
namespace {

namespace LLVM = mlir::LLVM;

mlir::Value element_pointer(mlir::ImplicitLocOpBuilder &b, mlir::Value args, int tensor, mlir::Type element, mlir::Value index) {
  const mlir::Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  const mlir::Value slot = LLVM::GEPOp::create(b, pointer, pointer, args, llvm::ArrayRef<LLVM::GEPArg>{tensor});
  const mlir::Value base = LLVM::LoadOp::create(b, pointer, slot);
  return LLVM::GEPOp::create(b, pointer, element, base, llvm::ArrayRef<LLVM::GEPArg>{index});
}

mlir::Type shaped(mlir::Type element, int width) { return width == 1 ? element : mlir::Type(mlir::VectorType::get({width}, element)); }

} // namespace

Kernel PointwiseKernel::compile(const Target &target, StageText *text) const {
  mlir::MLIRContext &context = thread_context();
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  mlir::ImplicitLocOpBuilder b(mlir::UnknownLoc::get(&context), &context);
  b.setInsertionPointToEnd(module->getBody());
  const mlir::Type pointer = LLVM::LLVMPointerType::get(&context), i64 = b.getI64Type();
  auto function = mlir::func::FuncOp::create(b, "pointwise", b.getFunctionType({pointer, i64, i64}, {}));
  mlir::Block *entry = function.addEntryBlock();
  b.setInsertionPointToEnd(entry);
  const mlir::Value args = entry->getArgument(0);
  const mlir::Value step = mlir::arith::ConstantIntOp::create(b, i64, width);
  auto loop = mlir::scf::ForOp::create(b, entry->getArgument(1), entry->getArgument(2), step);
  mlir::func::ReturnOp::create(b);
  b.setInsertionPointToStart(loop.getBody());
  const mlir::Value index = loop.getInductionVar();
  std::vector<mlir::Value> values;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const mlir::Type element = storage_type(&context, inputs[i]);
    values.push_back(
        LLVM::LoadOp::create(b, shaped(element, width), element_pointer(b, args, int(i), element, index), info(inputs[i]).bytes));
  }
  const mlir::Value result = formula(b, values);
  LLVM::StoreOp::create(b, result, element_pointer(b, args, int(inputs.size()), storage_type(&context, output), index), info(output).bytes);

  Kernel kernel;
  kernel.target = std::string(target.name);
  kernel.object = compile_module(*module, target, {vector_bits ? vector_bits : target.vector_bits}, text);
  kernel.code_hash = hash_of(kernel.object);
  kernel.steps.push_back({"pointwise", {}, 0});
  make_image(kernel);
  return kernel;
}

std::vector<const Target *> runnable_targets() {
  std::vector<const Target *> found;
  for (const Target &target : targets())
    if (target.backend == "x86" && runs_here(target))
      found.push_back(&target);
  return found;
}

void Pointwise::operator()(std::vector<const void *> inputs, void *output, int64_t count) const {
  nf_kernel_args args{};
  for (size_t i = 0; i < inputs.size(); ++i)
    args.tensors[i] = const_cast<void *>(inputs[i]);
  args.tensors[inputs.size()] = output;
  loaded.steps()[0].run(&args, 0, count);
}

} // namespace normforge::x86
