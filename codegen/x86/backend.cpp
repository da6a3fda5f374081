#include "codegen/x86/backend.h"

#include <tuple>

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/FormatVariadic.h"

#include "codegen/hash.h"
#include "codegen/image.h"
#include "codegen/nest/pipeline.h"
#include "codegen/x86/cost_model.h"
#include "codegen/x86/emitter.h"
#include "codegen/x86/knobs.h"
#include "codegen/x86/object.h"
#include "dsl/error.h"

namespace normforge::x86 {

using namespace nest;

namespace {

constexpr int kHeldLanes = 128;         ///< in registers
constexpr int64_t kLongestChunk = 1024; ///< of one accumulator: what the promised accuracy allows

/// Row buffers need fixed extents, and room: on the stack, or in registers.
std::optional<std::string> oversized_buffer(const SweepPlan &plan, const NestShape &shape, const Residency &residency,
                                            const NestMapping &mapping, const Target &target) {
  const char *word = mapping.keep == Keep::scratch ? "scratch" : "registers";
  if (!kept_elements(plan, shape))
    return llvm::formatv("schedule: keep={0}: the reduced extents are not fixed; use keep=reread", word).str();
  const int64_t room = mapping.keep == Keep::scratch ? kStackBytes : int64_t(target.vector_registers) * mapping.vector / 8;
  if (residency.row_bytes() > room / mapping.rows)
    return llvm::formatv("schedule: keep={0}: {1} rows at once of {2} bytes exceed {3} bytes; use fewer rows or keep=reread", word,
                         mapping.rows, residency.row_bytes(), room)
        .str();
  return std::nullopt;
}

} // namespace

std::span<const Knob> X86Backend::knobs() const { return mapping_knobs(); }

Schedule X86Backend::default_schedule(const SweepPlan &plan, const Target &target) const {
  Numerics numerics = default_numerics(plan);
  numerics.fma &= target.fma;
  return {numerics, write_mapping(default_mapping(plan, numerics, target))};
}

std::optional<std::string> X86Backend::inapplicable(const SweepPlan &plan, const Schedule &schedule, const Target &target) const {
  const Numerics &numerics = schedule.numerics;
  const NestMapping mapping = read_mapping(schedule.mapping).nest;
  if (numerics.algorithm == Numerics::chunked && !plan.has_moments())
    return "schedule: chunked: no sum of squares about a mean that nothing else waits for; use two_pass";
  if (numerics.fma && !target.fma)
    return llvm::formatv("schedule: fma=on: {0} has no fused multiply-add; use fma=off", target.name).str();
  if (numerics.chunk % numerics.lanes != 0)
    return llvm::formatv("schedule: chunk={0}: not a multiple of lanes={1}", numerics.chunk, numerics.lanes).str();
  if (numerics.lanes > kHeldLanes || numerics.chunk > kLongestChunk)
    return llvm::formatv("schedule: lanes={0} chunk={1}: too many for a CPU; use at most lanes={2} chunk={3}", numerics.lanes,
                         numerics.chunk, kHeldLanes, kLongestChunk)
        .str();
  if (mapping.vector > target.vector_bits)
    return llvm::formatv("schedule: vector={0}: {1} has registers of {2} bits", mapping.vector, target.name, target.vector_bits).str();
  // A knob that changes nothing is refused, so that a search does not try it.
  bool keeps = false, streams = false, groups = false, tiles = false;
  for (const Nest &nest : plan.nests) {
    const NestShape shape = shape_of(plan, nest, numerics, mapping);
    if (const auto reason = unordered_length(plan, shape))
      return reason;
    const Residency residency = residency_of(plan, shape, mapping.keep);
    if (residency.slots)
      if (const auto reason = oversized_buffer(plan, shape, residency, mapping, target))
        return reason;
    keeps |= residency.keeps();
    streams |= shape.streams;
    groups |= !is_split(plan, shape, numerics, mapping) && shape.inner && !shape.ragged_kept && !shape.ragged_reduction &&
              extent_over(plan, shape.nest.kept).hi > 1;
    tiles |= !shape.inner;
  }
  if (const auto reason = unfit_split(plan, numerics, mapping))
    return reason;
  if (mapping.split > 1 && (mapping.rows > 1 || mapping.prefetch) && !groups)
    return std::string("schedule: split: parts of a row are worked on one at a time; use rows=1 prefetch=0, or split=1");
  if (mapping.keep == Keep::output && !keeps)
    return std::string(
        "schedule: keep=output: no output can hold what a later sweep would need an operation to make again: it takes one of the "
        "type that is computed in, in whose place no input may lie that is read again; use keep=scratch or keep=reread");
  if (mapping.keep != Keep::reread && !keeps)
    return std::string("schedule: keep: no sweep leaves what a later one would need an operation to make again; use keep=reread");
  if (mapping.stream && !streams)
    return std::string("schedule: store=stream: no sweep only writes; use store=normal");
  if (mapping.rows > 1 && !groups)
    return std::string("schedule: rows: there are no rows of one length along the contiguous axis to work on at once; use rows=1");
  if (mapping.prefetch && !groups)
    return std::string("schedule: prefetch: there are no further rows of one length along the contiguous axis; use prefetch=0");
  if (mapping.tile != mapping_knobs()[kTileKnob].values.front() && !tiles)
    return std::string("schedule: tile: no reduction runs across the contiguous axis; leave it out");
  return std::nullopt;
}

Kernel X86Backend::compile(const SweepPlan &plan, const Schedule &schedule, const Target &target, const std::string &symbol,
                           StageText *text) const {
  if (const auto reason = inapplicable(plan, schedule, target))
    throw UserError(*reason);
  const auto [mapping, grain] = read_mapping(schedule.mapping);
  mlir::MLIRContext &context = thread_context();
  Ir ir(mlir::UnknownLoc::get(&context), &context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(ir.getLoc());
  ir.setInsertionPointToEnd(module->getBody());

  Kernel kernel;
  for (const Temporary &temporary : plan.temporaries)
    kernel.workspace.push_back({{norm_axes(plan, temporary.axes), 0, 1, 1}, info(plan.specialized.compute).bytes});
  for (const Nest &nest : plan.nests) {
    const NestShape shape = shape_of(plan, nest, schedule.numerics, mapping);
    const std::optional<RowRecord> record = add_record(plan, shape, schedule.numerics, mapping, kernel.workspace);
    for (const NestStep &step : steps_of(plan, shape, mapping, record)) {
      const std::string name = kernel.steps.empty() ? symbol : symbol + "_" + std::to_string(kernel.steps.size());
      Emitter(ir, plan, shape, schedule.numerics, mapping, target, record).emit(name, step);
      kernel.steps.push_back({name, step.items, step.item_bytes});
    }
  }
  kernel.object = compile_module(*module, target, {.vector_bits = mapping.vector}, text);
  kernel.problem = to_text(plan.problem);
  kernel.schedule = to_text(schedule, knobs());
  kernel.target = target.name;
  kernel.grain_bytes = grain;
  kernel.code_hash = hash_of(kernel.object);
  std::tie(kernel.writes, kernel.may_write) = written_outputs(plan);
  make_image(kernel);
  return kernel;
}

} // namespace normforge::x86
