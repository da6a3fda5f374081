// The GPU kernels whose code tests read: each norm for several architectures and dtypes, with fixed extents and with open ones.
#pragma once

#include <functional>

#include "codegen/backend.h"

namespace normforge::testing {

struct Variant {
  std::string name; ///< problem, schedule, target
  const Target *target;
  Schedule schedule;
  Kernel kernel;
};

/// Compiles one after the other. Where NORMFORGE_LONG is not set, few of them; of a norm of the catalogue, or of all.
void for_each_variant(const std::function<void(const Variant &)> &look);
/// Each `step`th of a norm's.
void for_each_variant(size_t norm, int step, const std::function<void(const Variant &)> &look);

} // namespace normforge::testing
