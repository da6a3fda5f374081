// From a kernel for a GPU to one for the emulator: each device operation (device.h) becomes a call of the function that does the same
// (emulated_block.h), by its address in this process; a call announces each load and store; the kernel's parameters are read from
// nf_kernel_args; and a function around it, which is called like any x86 kernel, hands its threads to the emulator.
#include "codegen/emulator.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include "codegen/cuda/backend.h"
#include "codegen/cuda/device.h"
#include "codegen/cuda/emulated_block.h"
#include "codegen/cuda/module.h"
#include "codegen/hash.h"
#include "codegen/image.h"
#include "codegen/nest/convert.h"
#include "codegen/x86/object.h"
#include "dsl/error.h"
#include "llvm/ADT/TypeSwitch.h"

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

std::optional<cuda::Meeting> meeting_of(mlir::Operation *op) {
  using Found = std::optional<cuda::Meeting>;
  return llvm::TypeSwitch<mlir::Operation *, Found>(op)
      .Case([](NVVM::ShflOp) { return cuda::Meeting::shuffle; })
      .Case([](NVVM::SyncWarpOp) { return cuda::Meeting::warp; })
      .Case([](NVVM::BarrierOp) { return cuda::Meeting::barrier; })
      .Case([](NVVM::ClusterArriveOp) { return cuda::Meeting::cluster_arrival; })
      .Case([](NVVM::ClusterWaitOp) { return cuda::Meeting::cluster_wait; })
      .Case([](NVVM::CpAsyncOp) { return cuda::Meeting::copy; })
      .Case([](NVVM::CpAsyncBulkGlobalToSharedClusterOp) { return cuda::Meeting::bulk_copy; })
      .Case([](NVVM::CpAsyncCommitGroupOp) { return cuda::Meeting::copy_group; })
      .Case([](NVVM::CpAsyncWaitGroupOp) { return cuda::Meeting::copy_wait; })
      .Case([](NVVM::MBarrierInitOp) { return cuda::Meeting::mbarrier; })
      .Case([](NVVM::MBarrierExpectTxOp) { return cuda::Meeting::bytes; })
      .Case([](NVVM::MBarrierArriveOp) { return cuda::Meeting::arrival; })
      .Case([](NVVM::MBarrierTryWaitOp) { return cuda::Meeting::byte_wait; })
      .Case([](NVVM::FenceProxyOp) { return cuda::Meeting::fence; })
      .Default([](mlir::Operation *) { return Found(); });
}

/// Writes what the emulator is to do in place of one operation.
class Replacement {
public:
  Replacement(Ir &ir, std::vector<cuda::Meeting> &meetings) : ir(ir), meetings(meetings) {}

  /// What stands for a device operation; null where it has no result. nullopt: it stays.
  std::optional<Value> of(mlir::Operation *op) {
    if (mlir::isa<NVVM::ThreadIdXOp>(op))
      return call(ir, word, cuda::emulated_thread, {});
    if (mlir::isa<NVVM::ThreadIdYOp>(op))
      return call(ir, word, cuda::emulated_row, {});
    if (mlir::isa<NVVM::BlockIdXOp>(op))
      return call(ir, word, cuda::emulated_block, {});
    if (mlir::isa<NVVM::BlockInClusterIdXOp>(op))
      return call(ir, word, cuda::emulated_cluster_rank, {});
    if (auto remote = mlir::dyn_cast<NVVM::MapaOp>(op))
      return call(ir, ir.pointer_type(), cuda::emulated_remote, {remote.getA(), remote.getB()});
    if (mlir::isa<NVVM::GridDimXOp>(op))
      return call(ir, word, cuda::emulated_blocks, {});
    if (auto cast = mlir::dyn_cast<LLVM::AddrSpaceCastOp>(op)) // only shared memory has other addresses here than in its own space
      return cast.getArg().getDefiningOp<LLVM::AddressOfOp>() ? call(ir, ir.pointer_type(), cuda::emulated_shared_memory, {})
                                                              : cast.getArg();
    if (auto narrow = mlir::dyn_cast<arith::TruncFOp>(op); narrow && mlir::getElementTypeOrSelf(narrow.getType()).isBF16())
      return arith::BitcastOp::create(ir, narrow.getType(), nest::narrow(ir, narrow.getIn(), DType::bf16, host_target())).getResult();
    if (auto unknown = mlir::dyn_cast<LLVM::InlineAsmOp>(op))
      return unknown.getOperand(0);
    if (const auto kind = meeting_of(op))
      return meeting(op, numbered(*kind));
    announce(op);
    return std::nullopt;
  }

private:
  Value constant(int64_t value) { return arith::ConstantIntOp::create(ir, value, 32); }

  /// Of a new meeting.
  Value numbered(cuda::Meeting kind) {
    meetings.push_back(kind);
    return constant(int64_t(meetings.size()) - 1);
  }

  Value meeting(mlir::Operation *op, Value number) {
    const auto how = [&](cuda::Exchange exchange) { return constant(int64_t(exchange)); };
    if (auto wait = mlir::dyn_cast<NVVM::BarrierOp>(op))
      return call(ir, nothing, cuda::emulated_barrier, {number, wait.getBarrierId(), wait.getNumberOfThreads()});
    if (auto wait = mlir::dyn_cast<NVVM::SyncWarpOp>(op)) {
      call(ir, word, cuda::emulated_exchange, {number, wait.getMask(), constant(0), constant(0), how(cuda::Exchange::none)});
      return {};
    }
    if (mlir::isa<NVVM::ClusterArriveOp>(op))
      return call(ir, nothing, cuda::emulated_cluster_arrive, number);
    if (mlir::isa<NVVM::ClusterWaitOp>(op))
      return call(ir, nothing, cuda::emulated_cluster_wait, number);
    if (auto copy = mlir::dyn_cast<NVVM::CpAsyncOp>(op)) {
      Value bytes = constant(copy.getSize());
      if (!copy.getCpSize())
        return call(ir, nothing, cuda::emulated_copy, {number, copy.getDst(), copy.getSrc(), bytes});
      numbered(cuda::Meeting::zero_fill);
      return call(ir, nothing, cuda::emulated_filled_copy, {number, copy.getDst(), copy.getSrc(), bytes, copy.getCpSize()});
    }
    if (auto copy = mlir::dyn_cast<NVVM::CpAsyncBulkGlobalToSharedClusterOp>(op))
      return call(ir, nothing, cuda::emulated_bulk_copy, {number, copy.getDstMem(), copy.getSrcMem(), copy.getSize(), copy.getMbar()});
    if (mlir::isa<NVVM::CpAsyncCommitGroupOp>(op))
      return call(ir, nothing, cuda::emulated_copy_group, number);
    if (auto wait = mlir::dyn_cast<NVVM::CpAsyncWaitGroupOp>(op))
      return call(ir, nothing, cuda::emulated_copy_wait, {number, constant(wait.getN())});
    if (auto made = mlir::dyn_cast<NVVM::MBarrierInitOp>(op))
      return call(ir, nothing, cuda::emulated_mbarrier, {number, made.getAddr(), made.getCount()});
    if (auto expected = mlir::dyn_cast<NVVM::MBarrierExpectTxOp>(op))
      return call(ir, nothing, cuda::emulated_bytes, {number, expected.getAddr(), expected.getTxcount()});
    if (auto arrival = mlir::dyn_cast<NVVM::MBarrierArriveOp>(op))
      return call(ir, nothing, cuda::emulated_arrival, {number, arrival.getAddr()});
    if (auto wait = mlir::dyn_cast<NVVM::MBarrierTryWaitOp>(op)) {
      call(ir, nothing, cuda::emulated_byte_wait, {number, wait.getAddr(), wait.getStateOrPhase()});
      return ir.boolean(true);
    }
    if (mlir::isa<NVVM::FenceProxyOp>(op))
      return call(ir, nothing, cuda::emulated_fence, number);
    auto shuffle = mlir::cast<NVVM::ShflOp>(op);
    const mlir::Type type = shuffle.getVal().getType();
    const auto exchange = shuffle.getKind() == NVVM::ShflKind::bfly ? cuda::Exchange::by_xor : cuda::Exchange::by_lane;
    Value sent = arith::BitcastOp::create(ir, word, shuffle.getVal());
    Value got = call(ir, word, cuda::emulated_exchange, {number, shuffle.getThreadMask(), sent, shuffle.getOffset(), how(exchange)});
    return arith::BitcastOp::create(ir, type, got);
  }

  /// Other memory accesses than loads and stores would go unseen: there must be none.
  void announce(mlir::Operation *op) {
    if (auto load = mlir::dyn_cast<LLVM::LoadOp>(op))
      return announce(load.getAddr(), load.getType(), load.getAlignment(), how_read(load.getAddr()));
    if (auto store = mlir::dyn_cast<LLVM::StoreOp>(op))
      return announce(store.getAddr(), store.getValue().getType(), store.getAlignment(), constant(int64_t(cuda::AccessKind::write)));
    internal_check((!mlir::hasEffect<mlir::MemoryEffects::Read>(op) && !mlir::hasEffect<mlir::MemoryEffects::Write>(op)));
  }

  /// A lane past the end of a row reads the last element there is (access.cpp), and what it reads is dropped.
  Value how_read(Value address) {
    auto element = address.getDefiningOp<LLVM::GEPOp>();
    Value index = element && !element.getDynamicIndices().empty() ? element.getDynamicIndices().front() : Value();
    if (auto scaled = index ? index.getDefiningOp<arith::MulIOp>() : arith::MulIOp())
      index = scaled.getLhs();
    auto clamped = index ? index.getDefiningOp<arith::MinSIOp>() : arith::MinSIOp();
    Value read = constant(int64_t(cuda::AccessKind::read));
    if (!clamped)
      return read;
    Value exists = ir.is(arith::CmpIPredicate::sle, clamped.getLhs(), clamped.getRhs());
    return arith::SelectOp::create(ir, exists, read, constant(int64_t(cuda::AccessKind::read_and_drop)));
  }

  void announce(Value address, mlir::Type type, std::optional<uint64_t> alignment, Value how) {
    const auto vector = mlir::dyn_cast<mlir::VectorType>(type);
    const mlir::Type element = vector ? vector.getElementType() : type;
    const int64_t one = (element.getIntOrFloatBitWidth() + 7) / 8, bytes = vector ? one * vector.getNumElements() : one;
    call(ir, nothing, cuda::emulated_access, {address, constant(bytes), constant(int64_t(alignment.value_or(one))), how});
  }

  Ir &ir;
  std::vector<cuda::Meeting> &meetings;
  const mlir::Type word = ir.getI32Type(), nothing = LLVM::LLVMVoidType::get(ir.getContext());
};

/// The kinds of the function's meetings, by number.
std::vector<cuda::Meeting> replace_device_operations(Ir &ir, LLVM::LLVMFuncOp function) {
  llvm::SmallVector<mlir::Operation *> operations, symbols;
  function.walk([&](mlir::Operation *op) { (mlir::isa<LLVM::AddressOfOp>(op) ? symbols : operations).push_back(op); });
  mlir::OpBuilder::InsertionGuard guard(ir);
  std::vector<cuda::Meeting> meetings;
  Replacement replacement(ir, meetings);
  for (mlir::Operation *op : operations) {
    ir.setInsertionPoint(op);
    const auto result = replacement.of(op);
    if (!result)
      continue;
    if (*result)
      op->getResult(0).replaceAllUsesWith(*result);
    op->erase();
  }
  for (mlir::Operation *op : symbols) // of shared memory
    op->erase();
  return meetings;
}

void set_name(char (&to)[cuda::kNameBytes], llvm::StringRef name) {
  const auto bytes = std::min(name.size(), cuda::kNameBytes - 1);
  std::copy_n(name.begin(), bytes, to);
}

cuda::EmulatedKernel describe(const SweepPlan &plan, const Kernel &kernel, const Step &step) {
  const Problem &problem = plan.problem;
  const Program &program = problem.norm->program;
  cuda::EmulatedKernel result{};
  set_name(result.name, step.symbol);
  result.threads = step.launch.threads, result.rows = step.launch.rows, result.shared_bytes = step.launch.shared_bytes;
  result.cluster = step.launch.cluster, result.resident = step.launch.resident;
  for (size_t axis = 0; axis < problem.extents.size(); ++axis)
    result.extents[axis] = problem.extents[axis].fixed() ? problem.extents[axis].lo : 0;
  result.tensors = int32_t(program.tensors.size());
  for (size_t t = 0; t < program.tensors.size(); ++t) {
    const Tensor &tensor = program.tensors[t];
    cuda::EmulatedTensor &entry = result.tensor[t];
    set_name(entry.name, tensor.name);
    entry.element_bytes = problem.dtypes[t] ? info(*problem.dtypes[t]).bytes : 0;
    entry.written = tensor.role == Tensor::output || tensor.role == Tensor::inout;
    entry.dense = problem.layouts[t] == Layout::dense, entry.unit = problem.layouts[t] != Layout::any;
    for (int axis : problem.order)
      if (program.axes_of(tensor) & axis_bit(axis))
        entry.axes[entry.rank++] = axis;
  }
  result.buffers = int32_t(kernel.workspace.size());
  llvm::copy(kernel.workspace, result.buffer);
  return result;
}

/// The description as a constant of the module.
Value constant_of(Ir &ir, cuda::EmulatedKernel description, const std::vector<cuda::Meeting> &meetings) {
  description.meetings = int32_t(meetings.size());
  std::string bytes(reinterpret_cast<const char *>(&description), sizeof description);
  bytes.append(reinterpret_cast<const char *>(meetings.data()), meetings.size() * sizeof(cuda::Meeting));
  const auto here = ir.saveInsertionPoint();
  ir.setInsertionPointToStart(ir.getInsertionBlock()->getParentOp()->getParentOfType<mlir::ModuleOp>().getBody());
  auto global = LLVM::GlobalOp::create(ir, LLVM::LLVMArrayType::get(ir.getI8Type(), unsigned(bytes.size())), /*isConstant=*/true,
                                       LLVM::Linkage::Internal, std::string(description.name) + "_facts", ir.getStringAttr(bytes),
                                       alignof(cuda::EmulatedKernel));
  ir.restoreInsertionPoint(here);
  return LLVM::AddressOfOp::create(ir, global);
}

/// `name`(args, begin, end) around the kernel of one thread.
void add_caller(Ir &ir, LLVM::LLVMFuncOp kernel, const Step &step, const cuda::EmulatedKernel &description,
                const std::vector<cuda::Meeting> &meetings) {
  kernel->removeAttr(NVVM::NVVMDialect::getKernelFuncAttrName());
  kernel->removeAttr(NVVM::NVVMDialect::getReqntidAttrName());
  kernel->removeAttr(NVVM::NVVMDialect::getMinctasmAttrName());
  kernel->removeAttr(NVVM::NVVMDialect::getClusterDimAttrName());
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
       {LLVM::AddressOfOp::create(ir, thread), constant_of(ir, description, meetings), caller.getArgument(0), caller.getArgument(1),
        caller.getArgument(2)});
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
    const std::vector<cuda::Meeting> meetings = replace_device_operations(ir, function);
    add_caller(ir, function, step, describe(plan, kernel.facts, step), meetings);
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
