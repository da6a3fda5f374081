#include "codegen/check/tolerance.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace normforge {

double Tolerance::deviation(double got, double want) const {
  constexpr double wrong = std::numeric_limits<double>::infinity();
  if (std::isnan(want) || std::isnan(got))
    return std::isnan(want) && std::isnan(got) ? 0 : wrong;
  if (std::isfinite(largest))
    want = std::clamp(want, -largest, largest);
  if (got == want)
    return 0;
  if (std::isinf(want) || std::isinf(got)) // past the largest finite value of its dtype, `want` rounds to infinity
    return std::isinf(got) && std::signbit(got) == std::signbit(want) && std::fabs(want) > 65504 ? 0 : wrong;
  return std::fabs(got - want) / (scaled * std::max(1.0, std::fabs(want)) + relative * std::fabs(want) + absolute);
}

Tolerance tolerance(const Problem &problem, DType output) {
  if (output == DType::i8)
    return {0, 0, 1};
  const auto unit = [](DType dtype) {
    switch (dtype) {
    case DType::bf16: return 0x1p-8;
    case DType::f16: return 0x1p-11;
    case DType::f8e4m3: return 0x1p-4;
    case DType::f32: return 0x1p-24;
    default: return 0x1p-53;
    }
  };
  const Program &program = problem.norm->program;
  const bool wide = std::ranges::any_of(problem.dtypes, [](auto d) { return d == DType::f64; });
  double error = wide ? 1e-14 : 2e-6;
  for (const Node &node : program.nodes)
    if (node.op == Op::stored)
      error = std::max(error, 2 * unit(*problem.dtypes[size_t(node.symbol)]));
  switch (output) { // and half of the least number above zero
  case DType::bf16: return {error, unit(output), 0};
  case DType::f16: return {error, unit(output), 0x1p-25};
  case DType::f8e4m3: return {error, unit(output), 0x1p-10, 448};
  default: return {error, 0, 0};
  }
}

} // namespace normforge
