#include "codegen/cuda/device.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"

namespace normforge::cuda {

namespace LLVM = mlir::LLVM;
namespace NVVM = mlir::NVVM;
namespace arith = mlir::arith;

namespace {

constexpr unsigned kGlobalSpace = 1, kSharedSpace = 3, kClusterSpace = 7;
constexpr int kPastL1 = 16;        ///< bytes: copies of so many keep out of the first cache
constexpr int64_t kWholeWarp = 31; ///< of a shuffle: no segments, lanes up to 31

mlir::Type pointer_in(Ir &ir, unsigned space) { return LLVM::LLVMPointerType::get(ir.getContext(), space); }

Value in_space(Ir &ir, unsigned space, Value pointer) { return LLVM::AddrSpaceCastOp::create(ir, pointer_in(ir, space), pointer); }

Value i32(Ir &ir, int64_t value) { return arith::ConstantIntOp::create(ir, value, 32); }

Value shuffle_word(Ir &ir, NVVM::ShflKind kind, Value mask, Value value, Value offset) {
  return NVVM::ShflOp::create(ir, value.getType(), mask, value, offset, i32(ir, kWholeWarp), kind, mlir::UnitAttr());
}

/// An f64 goes as two words.
Value shuffle(Ir &ir, NVVM::ShflKind kind, Value mask, Value value, Value offset) {
  if (!value.getType().isF64())
    return shuffle_word(ir, kind, mask, value, offset);
  const mlir::Type i64 = ir.getI64Type(), word = ir.getI32Type();
  Value bits = arith::BitcastOp::create(ir, i64, value), half = ir.i64(32);
  Value low = shuffle_word(ir, kind, mask, arith::TruncIOp::create(ir, word, bits), offset);
  Value high = shuffle_word(ir, kind, mask, arith::TruncIOp::create(ir, word, arith::ShRUIOp::create(ir, bits, half)), offset);
  Value upper = arith::ShLIOp::create(ir, arith::ExtUIOp::create(ir, i64, high), half);
  return arith::BitcastOp::create(ir, ir.getF64Type(), arith::OrIOp::create(ir, upper, arith::ExtUIOp::create(ir, i64, low)));
}

} // namespace

Value thread_index(Ir &ir) { return NVVM::ThreadIdXOp::create(ir, ir.getI32Type()); }
Value row_index(Ir &ir) { return NVVM::ThreadIdYOp::create(ir, ir.getI32Type()); }
Value block_index(Ir &ir) { return NVVM::BlockIdXOp::create(ir, ir.getI32Type()); }
Value cluster_rank(Ir &ir) { return NVVM::BlockInClusterIdXOp::create(ir, ir.getI32Type()); }
Value block_count(Ir &ir) { return NVVM::GridDimXOp::create(ir, ir.getI32Type()); }

Value shared_memory(Ir &ir) {
  const mlir::Type space = pointer_in(ir, kSharedSpace);
  auto module = ir.getInsertionBlock()->getParentOp()->getParentOfType<mlir::ModuleOp>();
  if (!module.lookupSymbol(kSharedSymbol)) {
    mlir::OpBuilder::InsertionGuard guard(ir);
    ir.setInsertionPointToStart(module.getBody());
    LLVM::GlobalOp::create(ir, LLVM::LLVMArrayType::get(ir.getI8Type(), 0), /*isConstant=*/false, LLVM::Linkage::External, kSharedSymbol,
                           mlir::Attribute(), /*alignment=*/16, kSharedSpace);
  }
  return LLVM::AddrSpaceCastOp::create(ir, ir.pointer_type(), LLVM::AddressOfOp::create(ir, space, kSharedSymbol));
}

Value shuffle_xor(Ir &ir, Value mask, Value value, int offset) { return shuffle(ir, NVVM::ShflKind::bfly, mask, value, i32(ir, offset)); }

Value shuffle_from(Ir &ir, Value mask, Value value, Value lane) { return shuffle(ir, NVVM::ShflKind::idx, mask, value, lane); }

void sync_warp(Ir &ir, Value mask) { NVVM::SyncWarpOp::create(ir, mask); }

void sync_threads(Ir &ir, Value id, int count) {
  NVVM::BarrierOp::create(ir, mlir::TypeRange(), id, i32(ir, count), NVVM::BarrierReductionAttr(), Value());
}

Value remote_address(Ir &ir, Value pointer, Value rank) {
  return NVVM::MapaOp::create(ir, pointer_in(ir, kClusterSpace), in_space(ir, kSharedSpace, pointer), rank);
}

void arrive_at_cluster(Ir &ir) { NVVM::ClusterArriveOp::create(ir, mlir::UnitAttr()); }

void wait_for_cluster(Ir &ir) { NVVM::ClusterWaitOp::create(ir, mlir::UnitAttr()); }

void copy_async(Ir &ir, Value to, Value from, int bytes, Value exist) {
  const auto cache = bytes == kPastL1 ? NVVM::LoadCacheModifierKind::CG : NVVM::LoadCacheModifierKind::CA;
  Value count = exist ? Value(arith::TruncIOp::create(ir, ir.getI32Type(), exist)) : Value();
  NVVM::CpAsyncOp::create(ir, in_space(ir, kSharedSpace, to), in_space(ir, kGlobalSpace, from), ir.getI32IntegerAttr(bytes),
                          NVVM::LoadCacheModifierKindAttr::get(ir.getContext(), cache), count);
}

void commit_copies(Ir &ir) { NVVM::CpAsyncCommitGroupOp::create(ir); }

void wait_for_copies(Ir &ir, int pending) { NVVM::CpAsyncWaitGroupOp::create(ir, ir.getI32IntegerAttr(pending)); }

void init_mbarrier(Ir &ir, Value mbarrier, int arrivals) {
  NVVM::MBarrierInitOp::create(ir, in_space(ir, kSharedSpace, mbarrier), i32(ir, arrivals), Value());
}

void arrive_at_mbarrier(Ir &ir, Value mbarrier) {
  NVVM::MBarrierArriveOp::create(ir, mlir::TypeRange(), in_space(ir, kSharedSpace, mbarrier), Value());
}

void wait_for_mbarrier(Ir &ir, Value mbarrier, Value parity) {
  Value at = in_space(ir, kSharedSpace, mbarrier);
  auto loop = mlir::scf::WhileOp::create(ir, mlir::TypeRange(), mlir::ValueRange());
  mlir::OpBuilder::InsertionGuard guard(ir);
  ir.createBlock(&loop.getBefore());
  Value ended = NVVM::MBarrierTryWaitOp::create(ir, ir.getI1Type(), at, parity, Value());
  mlir::scf::ConditionOp::create(ir, arith::XOrIOp::create(ir, ended, ir.boolean(true)), mlir::ValueRange());
  ir.createBlock(&loop.getAfter());
  mlir::scf::YieldOp::create(ir);
}

void copy_bulk(Ir &ir, Value to, Value from, Value bytes, Value mbarrier) {
  Value at = in_space(ir, kSharedSpace, mbarrier), count = ir.createOrFold<arith::TruncIOp>(ir.getI32Type(), bytes);
  NVVM::MBarrierExpectTxOp::create(ir, at, count);
  NVVM::CpAsyncBulkGlobalToSharedClusterOp::create(ir, in_space(ir, kClusterSpace, to), in_space(ir, kGlobalSpace, from), at, count,
                                                   Value(), Value());
}

void fence_async_proxy(Ir &ir) {
  NVVM::FenceProxyOp::create(ir, NVVM::ProxyKindAttr::get(ir.getContext(), NVVM::ProxyKind::async_shared),
                             NVVM::SharedSpaceAttr::get(ir.getContext(), NVVM::SharedSpace::shared_cta));
}

Value opaque(Ir &ir, Value value) {
  const char *constraints = value.getType().isF32() ? "=f,0" : value.getType().isF64() ? "=d,0" : "=l,0";
  return LLVM::InlineAsmOp::create(ir, value.getType(), value, /*asm_string=*/"", constraints, /*has_side_effects=*/true,
                                   /*is_align_stack=*/false, LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), mlir::ArrayAttr())
      .getRes();
}

void mark_kernel(Ir &ir, LLVM::LLVMFuncOp function, int threads, int rows, int blocks, int cluster) {
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), ir.getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getReqntidAttrName(), ir.getDenseI32ArrayAttr({threads, rows}));
  function->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(), ir.getI32IntegerAttr(blocks));
  if (cluster > 1)
    function->setAttr(NVVM::NVVMDialect::getClusterDimAttrName(), ir.getDenseI32ArrayAttr({cluster, 1, 1}));
}

} // namespace normforge::cuda
