// A kernel that applies a formula to arrays: out[i] = formula(in0[i], in1[i], …), the least around which the maths, the conversions, the
// pipeline and the loader can be tested.
#pragma once

#include <functional>
#include <vector>

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include "codegen/backend.h"
#include "codegen/loader.h"

namespace normforge::x86 {

struct PointwiseKernel {
  std::vector<DType> inputs;
  DType output;
  int width = 32;      ///< elements per vector; 1: scalars
  int vector_bits = 0; ///< 0: the target's
  /// From stored values to a stored value.
  std::function<mlir::Value(mlir::ImplicitLocOpBuilder &, mlir::ValueRange)> formula;

  Kernel compile(const Target &, StageText *text = nullptr) const;
};

/// Every target that this machine runs.
std::vector<const Target *> runnable_targets();

/// A kernel in this process, called on arrays whose length is a multiple of its width.
class Pointwise {
public:
  Pointwise(const PointwiseKernel &spec, const Target &target) : loaded(spec.compile(target)) {}
  void operator()(std::vector<const void *> inputs, void *output, int64_t count) const;

private:
  LoadedKernel loaded;
};

} // namespace normforge::x86
