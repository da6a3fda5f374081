// Which lane of a vector value holds which element. Usually in memory order. But a vector of bf16 widens and narrows at half the cost where
// even elements make one half and odd ones the other: a pair is an i32, and an element its upper or its lower half. So kernels that move
// mostly bf16 keep all their vectors like that. No bit depends on it: lanes are independent of each other until they fold, and fold in
// memory order.
#pragma once

#include "codegen/nest/ir.h"
#include "codegen/nest/nest_shape.h"
#include "codegen/target.h"

namespace normforge::nest {

/// Whether a nest's vectors hold even elements, then odd ones.
bool pairs_lanes(const SweepPlan &, const NestShape &, const NestMapping &);

/// Lane `i` of such a vector holds this element.
int64_t element_of_lane(int64_t lane, int64_t width);

Value to_lane_order(Ir &, Value vector);
Value to_memory_order(Ir &, Value vector);

/// A vector of bf16 (i16, in memory order) as f32 in lane order.
Value widen_pairs(Ir &, Value stored, const Target &);
/// f32 in lane order, rounded as narrow() does, as bf16 (i16, in memory order). `short_nans`: NaNs have zeros in their lower half, so that
/// rounding cannot carry out of their fraction.
Value narrow_pairs(Ir &, Value computed, bool short_nans, const Target &);

/// Whether all NaNs of a program are like that: they come from bf16, or an operation made them.
bool has_short_nans(const SweepPlan &);

} // namespace normforge::nest
