// The x86 backend: MLIR's vector, scf and arith dialects, lowered by a pipeline of our own (pipeline.h).
#pragma once

#include "codegen/backend.h"

namespace normforge::x86 {

class X86Backend : public Backend {
public:
  std::string_view name() const override { return "x86"; }
  std::span<const Knob> knobs() const override;
  Schedule default_schedule(const SweepPlan &, const Target &) const override;
  std::optional<std::string> inapplicable(const SweepPlan &, const Schedule &, const Target &) const override;
  Kernel compile(const SweepPlan &, const Schedule &, const Target &, const std::string &symbol, StageText *text = nullptr) const override;
};

} // namespace normforge::x86
