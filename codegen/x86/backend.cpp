#include "codegen/x86/backend.h"

#include "llvm/Support/FormatVariadic.h"
#include "mlir/IR/BuiltinOps.h"

#include "codegen/x86/cost_model.h"
#include "codegen/x86/emitter.h"
#include "codegen/x86/knobs.h"
#include "codegen/x86/pipeline.h"
#include "dsl/error.h"

namespace normforge::x86 {

std::span<const Knob> X86Backend::knobs() const { return mapping_knobs(); }

Schedule X86Backend::default_schedule(const SweepPlan &plan, const Target &target) const {
  Numerics numerics = default_numerics(plan);
  numerics.fma &= target.fma;
  return {numerics, write_mapping(default_mapping(plan, numerics, target))};
}

std::optional<std::string> X86Backend::inapplicable(const SweepPlan &plan, const Schedule &schedule, const Target &target) const {
  const Numerics &numerics = schedule.numerics;
  const X86Mapping mapping = read_mapping(schedule.mapping);
  if (numerics.algorithm != Numerics::two_pass)
    return "schedule: chunked: the x86 backend has no such statistics yet; use two_pass";
  if (numerics.fma && !target.fma)
    return llvm::formatv("schedule: fma=on: {0} has no fused multiply-add; use fma=off", target.name).str();
  if (numerics.chunk % numerics.lanes != 0)
    return llvm::formatv("schedule: chunk={0}: not a multiple of lanes={1}", numerics.chunk, numerics.lanes).str();
  if (mapping.vector > target.vector_bits)
    return llvm::formatv("schedule: vector={0}: {1} has registers of {2} bits", mapping.vector, target.name, target.vector_bits).str();
  return std::nullopt;
}

Kernel X86Backend::compile(const SweepPlan &plan, const Schedule &schedule, const Target &target, const std::string &symbol, StageText *text) const {
  if (const auto reason = inapplicable(plan, schedule, target))
    throw UserError(*reason);
  const X86Mapping mapping = read_mapping(schedule.mapping);
  mlir::MLIRContext &context = thread_context();
  Ir ir(mlir::UnknownLoc::get(&context), &context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(ir.getLoc());
  ir.setInsertionPointToEnd(module->getBody());

  Kernel kernel;
  for (size_t i = 0; i < plan.nests.size(); ++i) {
    const NestShape shape = shape_of(plan, plan.nests[i], schedule.numerics, mapping);
    const std::string name = i ? symbol + "_" + std::to_string(i) : symbol;
    Emitter(ir, plan, shape, schedule.numerics, mapping, target).emit(name);
    kernel.steps.push_back({name, shape.items, shape.item_bytes});
  }
  for (const Temporary &temporary : plan.temporaries)
    kernel.workspace.push_back({{norm_axes(plan, temporary.axes), 0, 1}, info(plan.specialized.compute).bytes});
  kernel.object = compile_module(*module, target, {.vector_bits = mapping.vector}, text);
  kernel.problem = to_text(plan.problem);
  kernel.schedule = to_text(schedule, knobs());
  kernel.target = target.name;
  kernel.grain_bytes = mapping.grain;
  kernel.code_hash = hash_of(kernel.object);
  return kernel;
}

} // namespace normforge::x86
