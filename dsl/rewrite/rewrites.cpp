// The table of rewrites, and those that fit in a few lines.
#include "dsl/rewrite/rewrites.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace normforge::dialect {

static constexpr Rewrite kRewrites[] = {
    {"resolve-stored", "stored values become casts to the dtype that the problem gives the output", resolve_stored},
    {"fold-absent-inputs", "reads of absent inputs become their defaults", fold_absent_inputs},
    {"recognise-statistics", "averages and variances, however written, take one form", recognise_statistics},
    {"centre-statistics", "averages that centre their own operand are taken about a pivot", centre_statistics},
    {"drop-unused-outputs", "writes of unwanted outputs go, and all that only they need", drop_unused_outputs},
    {"expand-averages", "averages become sums over counts, powers products", expand_averages},
    {"collapse-axes", "axes stand in memory order; neighbours that are treated alike become one", collapse_axes},
};
std::span<const Rewrite> rewrites() { return kRewrites; }

/// A cast to the dtype in which the kernel computes changes nothing.
void resolve_stored(FuncOp func) {
  const Type compute = func.compute_type();
  for (StoredOp stored : llvm::make_early_inc_range(func.computed<StoredOp>())) {
    const Type dtype = *func.tensor(stored.getTensorAttr()).getDtype();
    OpBuilder builder(stored);
    const bool exact = dtype == compute || dtype == builder.getF64Type();
    stored.replaceAllUsesWith(exact ? stored.getOperand()
                                    : CastOp::create(builder, stored.getLoc(), stored.getOperand(), dtype).getResult());
    stored.erase();
  }
}

/// Adding an absent input whose default is 0 is dropped, although x + 0 turns -0 into +0: an input that is absent costs nothing, and the
/// sign of a zero is the one bit in which its result may differ from that of an array of zeros.
void fold_absent_inputs(FuncOp func) {
  for (ReadOp read : llvm::make_early_inc_range(func.computed<ReadOp>())) {
    TensorOp tensor = func.tensor(read.getTensorAttr());
    if (tensor.getDtype())
      continue;
    if (tensor.getFallback()->isZero())
      for (Operation *user : llvm::to_vector(read->getUsers()))
        if (auto add = llvm::dyn_cast<AddOp>(user); add && add.getLhs() != add.getRhs()) {
          add.replaceAllUsesWith(add.getLhs() == read ? add.getRhs() : add.getLhs());
          add.erase();
        }
    OpBuilder builder(read);
    read.replaceAllUsesWith(ConstantOp::create(builder, read.getLoc(), tensor.getFallbackAttr()).getResult());
    read.erase();
  }
  infer_types(func);
}

/// Requirements go as well: they are checked, from the norm's own program, before a kernel runs. What an inout becomes is always kept.
void drop_unused_outputs(FuncOp func) {
  for (RequireOp require : llvm::make_early_inc_range(func.computed<RequireOp>()))
    require.erase();
  for (WriteOp write : llvm::make_early_inc_range(func.computed<WriteOp>()))
    if (func.tensor(write.getTensorAttr()).getUnwanted())
      write.erase();
}

} // namespace normforge::dialect
