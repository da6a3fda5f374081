// The CUDA backend: the nests that every backend has (codegen/nest) as kernels of many threads, by MLIR's nvvm dialect to PTX.
#pragma once

#include "codegen/backend.h"

namespace normforge::cuda {

class CudaBackend : public Backend {
public:
  std::string_view name() const override { return "cuda"; }
  std::span<const Knob> knobs() const override;
  std::span<const Extent> run_bands() const override;
  Schedule default_schedule(const SweepPlan &, const Target &) const override;
  Mapping mapping_under(const SweepPlan &, const Target &, const Numerics &, const MappingChoices &settled) const override;
  std::optional<std::string> inapplicable(const SweepPlan &, const Schedule &, const Target &) const override;
  Kernel compile(const SweepPlan &, const Schedule &, const Target &, const std::string &symbol, StageText *text = nullptr) const override;
};

} // namespace normforge::cuda
