// Small helpers for writing IR: 64-bit index arithmetic that folds as it goes, loops and branches that vanish where their bounds are
// constants. What is folded here need not be lowered and optimized later, which is most of a kernel's compile time.
#pragma once

#include <functional>
#include <optional>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace normforge::nest {

using mlir::Value;
using Values = llvm::SmallVector<Value>;

/// The value of an integer constant, or nullopt.
std::optional<int64_t> constant(Value);

class Ir : public mlir::ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  Value i64(int64_t value);
  Value boolean(bool value);
  Value add(Value, Value);
  Value sub(Value, Value);
  Value mul(Value, Value);
  Value div(Value, Value); ///< of numbers that are not negative
  Value rem(Value, Value); ///< of numbers that are not negative
  Value min(Value, Value);
  Value max(Value, Value);
  Value is(mlir::arith::CmpIPredicate, Value, Value);
  Value logical_and(Value, Value); ///< bit by bit
  Value logical_or(Value, Value);  ///< bit by bit
  /// value - value % by, for a positive constant `by`.
  Value round_down(Value, int64_t by);

  using LoopBody = std::function<Values(Value index, mlir::ValueRange carried)>;
  /// for (index = lo; index < hi; index += step), carrying values. Emits nothing when it is known to be empty, the body alone when it runs
  /// once. `unrolled`: with constant bounds, the bodies one after another.
  Values loop(Value lo, Value hi, int64_t step, mlir::ValueRange carried, const LoopBody &body, bool unrolled = false);

  /// `carried` as it is where the condition fails. No branch where the condition is a constant.
  Values when(Value condition, mlir::ValueRange carried, const std::function<Values()> &body);
  void when(Value condition, const std::function<void()> &body);
  Values when_else(Value condition, mlir::TypeRange types, const std::function<Values()> &yes, const std::function<Values()> &no);

  mlir::Type pointer_type();
  mlir::VectorType vector(int lanes, mlir::Type element) { return mlir::VectorType::get({lanes}, element); }
  /// base + index * bytes of `element`.
  Value address(Value base, mlir::Type element, Value index);
  Value load(mlir::Type type, Value pointer, unsigned alignment);
  void store(Value value, Value pointer, unsigned alignment, bool nontemporal = false);
  void prefetch(Value pointer);
  /// Memory of the function's frame, 64-byte aligned.
  Value stack(int64_t bytes);
  Value integer(Value pointer);
  Value not_null(Value pointer);
  Value splat(Value scalar, int lanes);
  Value first_lane(Value vector);
};

} // namespace normforge::nest
