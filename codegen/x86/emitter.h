// A nest as a function that a CPU calls (codegen/nest/emitter.h): a thread has all lanes of a block, in vector registers.
#pragma once

#include "codegen/nest/emitter.h"

namespace normforge::x86 {

using mlir::Value;

class Emitter : public nest::Emitter {
public:
  using nest::Emitter::Emitter;

  /// Emits `void symbol(const nf_kernel_args *, i64 begin, i64 end)` for a step of the nest at the insertion point.
  void emit(llvm::StringRef symbol, const nest::NestStep &step);

private:
  Value argument(mlir::Type type, size_t offset) override;
  nest::TreeMemory tree_memory(mlir::VectorType type, int64_t slots, bool unrolled) override;
  int64_t most_points() const override { return int64_t(1) << 47; } // its address space
  nest::Lanes lanes_of(int width, Value active) override;
  Value load_lanes(int tensor, const nest::Frame &frame) override;
  void store(int tensor, Value value, const nest::Frame &frame, bool nontemporal) override;
  nest::Values fold(llvm::ArrayRef<nest::LaneSums> sums, Value counts) override;
  void emit_items(Value begin, Value end);
  unsigned buffer_alignment(mlir::VectorType type) const;

  Value arguments; // the function's nf_kernel_args
};

} // namespace normforge::x86
