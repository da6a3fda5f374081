// From a kernel for a GPU to one for the emulator: each device operation (device.h) becomes a call of the function that does the same
// (emulated_block.h), by its address in this process; the kernel's parameters are read from nf_kernel_args; and a function around it, which
// is called like any x86 kernel, hands its threads to the emulator.
#include "codegen/emulator.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include "codegen/cuda/backend.h"
#include "codegen/cuda/device.h"
#include "codegen/cuda/emulated_block.h"
#include "codegen/cuda/module.h"
#include "codegen/hash.h"
#include "codegen/image.h"
#include "codegen/x86/object.h"
#include "dsl/error.h"

namespace normforge {

namespace {

namespace LLVM = mlir::LLVM;
namespace NVVM = mlir::NVVM;
namespace arith = mlir::arith;
using cuda::Ir;
using mlir::Value;

constexpr int kLeastLevel = 3; ///< has the instructions that every GPU has: fused multiply-adds, conversions of f16

template <class Function> Value call(Ir &ir, mlir::Type result, Function *function, mlir::ValueRange operands) {
  Value address = LLVM::IntToPtrOp::create(ir, ir.pointer_type(), ir.i64(int64_t(function)));
  const auto type = LLVM::LLVMFunctionType::get(result, llvm::to_vector(operands.getTypes()));
  llvm::SmallVector<Value> all{address};
  all.append(operands.begin(), operands.end());
  LLVM::CallOp made = LLVM::CallOp::create(ir, type, all);
  return made->getNumResults() ? made.getResult() : Value();
}

/// The word exchanged for that of another thread.
Value exchange(Ir &ir, NVVM::ShflOp shuffle) {
  const mlir::Type type = shuffle.getVal().getType(), word = ir.getI32Type();
  const auto how = shuffle.getKind() == NVVM::ShflKind::bfly ? cuda::Exchange::by_xor : cuda::Exchange::by_lane;
  Value sent = arith::BitcastOp::create(ir, word, shuffle.getVal());
  Value got = call(ir, word, cuda::emulated_exchange,
                   {shuffle.getThreadMask(), sent, shuffle.getOffset(), arith::ConstantIntOp::create(ir, int64_t(how), 32)});
  return arith::BitcastOp::create(ir, type, got);
}

/// What stands for a device operation; null where it has no result. nullopt: it is none.
std::optional<Value> emulated(Ir &ir, mlir::Operation *op) {
  const mlir::Type word = ir.getI32Type(), nothing = LLVM::LLVMVoidType::get(ir.getContext());
  const auto constant = [&](int64_t value) -> Value { return arith::ConstantIntOp::create(ir, value, 32); };
  if (mlir::isa<NVVM::ThreadIdXOp>(op))
    return call(ir, word, cuda::emulated_thread, {});
  if (mlir::isa<NVVM::ThreadIdYOp>(op))
    return call(ir, word, cuda::emulated_row, {});
  if (mlir::isa<NVVM::BlockIdXOp>(op))
    return call(ir, word, cuda::emulated_block, {});
  if (auto shuffle = mlir::dyn_cast<NVVM::ShflOp>(op))
    return exchange(ir, shuffle);
  if (auto wait = mlir::dyn_cast<NVVM::SyncWarpOp>(op)) {
    call(ir, word, cuda::emulated_exchange, {wait.getMask(), constant(0), constant(0), constant(int64_t(cuda::Exchange::none))});
    return Value();
  }
  if (auto wait = mlir::dyn_cast<NVVM::BarrierOp>(op))
    return call(ir, nothing, cuda::emulated_barrier, {wait.getBarrierId(), wait.getNumberOfThreads()});
  if (mlir::isa<LLVM::AddrSpaceCastOp>(op)) // of shared memory: the only memory with an address space of its own
    return call(ir, ir.pointer_type(), cuda::emulated_shared_memory, {});
  return std::nullopt;
}

void replace_device_operations(Ir &ir, LLVM::LLVMFuncOp function) {
  llvm::SmallVector<mlir::Operation *> operations;
  function.walk([&](mlir::Operation *op) { operations.push_back(op); });
  mlir::OpBuilder::InsertionGuard guard(ir);
  for (mlir::Operation *op : llvm::reverse(operations)) { // users first
    if (mlir::isa<LLVM::AddressOfOp>(op)) {
      op->erase();
      continue;
    }
    ir.setInsertionPoint(op);
    const auto result = emulated(ir, op);
    if (!result)
      continue;
    if (*result)
      op->getResult(0).replaceAllUsesWith(*result);
    op->erase();
  }
}

/// `name`(args, begin, end) around the kernel of one thread.
void add_caller(Ir &ir, LLVM::LLVMFuncOp kernel, const Step &step) {
  kernel->removeAttr(NVVM::NVVMDialect::getKernelFuncAttrName());
  kernel->removeAttr(NVVM::NVVMDialect::getReqntidAttrName());
  kernel.setSymName(step.symbol + "_kernel");
  kernel.setLinkage(LLVM::Linkage::Internal);
  const mlir::Type nothing = LLVM::LLVMVoidType::get(ir.getContext());
  const mlir::Type types[] = {ir.pointer_type(), ir.getI64Type(), ir.getI64Type()};
  const auto define = [&](const std::string &name, LLVM::Linkage linkage) {
    auto function = LLVM::LLVMFuncOp::create(ir, name, LLVM::LLVMFunctionType::get(nothing, types), linkage);
    ir.setInsertionPointToStart(function.addEntryBlock(ir));
    return function;
  };
  mlir::OpBuilder::InsertionGuard guard(ir);
  ir.setInsertionPointAfter(kernel);
  LLVM::LLVMFuncOp thread = define(step.symbol + "_thread", LLVM::Linkage::Internal);
  llvm::SmallVector<Value> operands{thread.getArgument(1), thread.getArgument(2)};
  for (size_t i = 0; i < step.launch.parameters.size(); ++i)
    operands.push_back(ir.load(kernel.getArgumentTypes()[i + 2],
                               ir.address(thread.getArgument(0), ir.getI8Type(), ir.i64(int64_t(step.launch.parameters[i]))), 8));
  LLVM::CallOp::create(ir, kernel, operands);
  LLVM::ReturnOp::create(ir, mlir::ValueRange());

  ir.setInsertionPointAfter(thread);
  LLVM::LLVMFuncOp caller = define(step.symbol, LLVM::Linkage::External);
  call(ir, nothing, cuda::run_emulated,
       {LLVM::AddressOfOp::create(ir, thread), ir.i64(step.launch.threads), ir.i64(step.launch.rows), ir.i64(step.launch.shared_bytes),
        caller.getArgument(0), caller.getArgument(1), caller.getArgument(2)});
  LLVM::ReturnOp::create(ir, mlir::ValueRange());
}

} // namespace

Kernel compile_for_emulator(const SweepPlan &plan, const Schedule &schedule, const Target &gpu, const std::string &symbol) {
  const Target &cpu = host_target();
  if (cpu.level < kLeastLevel)
    throw UserError("the emulator needs a CPU of x86-64-v3; this machine runs " + std::string(cpu.name));
  cuda::KernelModule kernel = cuda::emit_module(backend_for(gpu), plan, schedule, gpu, symbol);
  Ir ir(kernel.module->getLoc(), kernel.module->getContext());
  for (Step &step : kernel.facts.steps) {
    auto function = kernel.module->lookupSymbol<LLVM::LLVMFuncOp>(step.symbol);
    replace_device_operations(ir, function);
    add_caller(ir, function, step);
    step.launch = {};
  }
  if (mlir::Operation *shared = kernel.module->lookupSymbol(cuda::kSharedSymbol))
    shared->erase();
  kernel.facts.object = x86::compile_module(*kernel.module, cpu, {.vector_bits = cpu.vector_bits});
  kernel.facts.target = cpu.name;
  kernel.facts.code_hash = hash_of(kernel.facts.object);
  make_image(kernel.facts);
  return kernel.facts;
}

} // namespace normforge
