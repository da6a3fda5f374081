#include "codegen/nest/ir.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

namespace normforge::nest {

namespace arith = mlir::arith;
namespace scf = mlir::scf;
namespace LLVM = mlir::LLVM;

std::optional<int64_t> constant(Value value) { return value ? mlir::getConstantIntValue(value) : std::nullopt; }

Value Ir::i64(int64_t value) { return arith::ConstantIntOp::create(*this, value, 64); }
Value Ir::boolean(bool value) { return arith::ConstantIntOp::create(*this, value, 1); }
Value Ir::add(Value a, Value b) { return createOrFold<arith::AddIOp>(a, b); }
Value Ir::sub(Value a, Value b) { return createOrFold<arith::SubIOp>(a, b); }
Value Ir::mul(Value a, Value b) { return createOrFold<arith::MulIOp>(a, b); }
Value Ir::div(Value a, Value b) { return createOrFold<arith::DivUIOp>(a, b); }
Value Ir::rem(Value a, Value b) { return createOrFold<arith::RemUIOp>(a, b); }
Value Ir::min(Value a, Value b) { return createOrFold<arith::MinSIOp>(a, b); }
Value Ir::max(Value a, Value b) { return createOrFold<arith::MaxSIOp>(a, b); }
Value Ir::is(arith::CmpIPredicate predicate, Value a, Value b) { return createOrFold<arith::CmpIOp>(predicate, a, b); }
Value Ir::logical_and(Value a, Value b) { return createOrFold<arith::AndIOp>(a, b); }
Value Ir::logical_or(Value a, Value b) { return createOrFold<arith::OrIOp>(a, b); }
Value Ir::round_down(Value value, int64_t by) { return by == 1 ? value : sub(value, rem(value, i64(by))); }

Values Ir::loop(Value lo, Value hi, int64_t step, mlir::ValueRange carried, const LoopBody &body, bool unrolled) {
  const auto first = constant(lo), end = constant(hi);
  if (lo == hi || (first && end && *first >= *end))
    return Values(carried);
  if (first && end && *first + step >= *end)
    return body(lo, carried);
  if (unrolled && first && end) {
    Values next(carried);
    for (int64_t index = *first; index < *end; index += step)
      next = body(i64(index), next);
    return next;
  }
  Value by = i64(step);
  auto op = scf::ForOp::create(*this, lo, hi, by, carried);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(op.getBody());
  Values next = body(op.getInductionVar(), op.getRegionIterArgs());
  if (!carried.empty()) // an empty yield is there already
    scf::YieldOp::create(*this, next);
  return Values(op.getResults());
}

Values Ir::when(Value condition, mlir::ValueRange carried, const std::function<Values()> &body) {
  return when_else(condition, carried.getTypes(), body, [&] { return Values(carried); });
}

void Ir::when(Value condition, const std::function<void()> &body) {
  when_else(condition, {},
            [&] {
              body();
              return Values();
            },
            {});
}

Values Ir::when_else(Value condition, mlir::TypeRange types, const std::function<Values()> &yes, const std::function<Values()> &no) {
  if (const auto known = constant(condition))
    return *known ? yes() : no ? no() : Values();
  auto op = scf::IfOp::create(*this, types, condition, /*withElseRegion=*/bool(no));
  OpBuilder::InsertionGuard guard(*this);
  const auto fill = [&](mlir::Block *block, const std::function<Values()> &body) {
    setInsertionPointToStart(block);
    Values results = body();
    if (!types.empty())
      scf::YieldOp::create(*this, results);
  };
  fill(op.thenBlock(), yes);
  if (no)
    fill(op.elseBlock(), no);
  return Values(op.getResults());
}

mlir::Type Ir::pointer_type() { return LLVM::LLVMPointerType::get(getContext()); }

Value Ir::address(Value base, mlir::Type element, Value index) {
  const auto known = constant(index);
  if (known && *known == 0)
    return base;
  if (known && *known == int32_t(*known))
    return LLVM::GEPOp::create(*this, pointer_type(), element, base, llvm::ArrayRef<LLVM::GEPArg>{int32_t(*known)});
  return LLVM::GEPOp::create(*this, pointer_type(), element, base, mlir::ValueRange{index});
}

Value Ir::load(mlir::Type type, Value pointer, unsigned alignment) { return LLVM::LoadOp::create(*this, type, pointer, alignment); }

void Ir::store(Value value, Value pointer, unsigned alignment, bool nontemporal) {
  LLVM::StoreOp::create(*this, value, pointer, alignment, /*isVolatile=*/false, nontemporal);
}

void Ir::prefetch(Value pointer) { LLVM::Prefetch::create(*this, pointer, /*rw=*/0u, /*locality=*/3u, /*data=*/1u); }

Value Ir::stack(int64_t bytes) {
  OpBuilder::InsertionGuard guard(*this);
  mlir::Operation *function = getInsertionBlock()->getParentOp();
  while (!llvm::isa<mlir::FunctionOpInterface>(function))
    function = function->getParentOp();
  setInsertionPointToStart(&function->getRegion(0).front());
  return LLVM::AllocaOp::create(*this, pointer_type(), getI8Type(), i64(bytes), 64);
}

Value Ir::integer(Value pointer) { return LLVM::PtrToIntOp::create(*this, getI64Type(), pointer); }

Value Ir::not_null(Value pointer) {
  return LLVM::ICmpOp::create(*this, LLVM::ICmpPredicate::ne, pointer, LLVM::ZeroOp::create(*this, pointer_type()));
}

Value Ir::splat(Value scalar, int lanes) { return mlir::vector::BroadcastOp::create(*this, vector(lanes, scalar.getType()), scalar); }

Value Ir::first_lane(Value vector) { return mlir::vector::ExtractOp::create(*this, vector, 0); }

} // namespace normforge::nest
