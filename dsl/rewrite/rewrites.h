// The named rewrites that turn a norm, bound to a problem, into what backends lower. Each is a function on a norm.func and a row of a
// table; specialize() makes passes of them. Their order matters:
//
//   resolve-stored and fold-absent-inputs come first, so that a value and the same value after an identity are one value;
//   recognise-statistics leaves averages in one form for those after it;
//   centre-statistics comes before drop-unused-outputs, so that the bits of an output do not depend on which others are wanted;
//   collapse-axes comes last, since which axes may be merged depends on every reduction that is left.
#pragma once

#include <span>
#include <string_view>

#include "dsl/dialect/dialect.h"

namespace normforge::dialect {

struct Rewrite {
  std::string_view name, summary;
  void (*run)(FuncOp func);
};
std::span<const Rewrite> rewrites();

void resolve_stored(FuncOp func);
void fold_absent_inputs(FuncOp func);
void recognise_statistics(FuncOp func);
void centre_statistics(FuncOp func);
void drop_unused_outputs(FuncOp func);
void expand_averages(FuncOp func);
void collapse_axes(FuncOp func);

} // namespace normforge::dialect
