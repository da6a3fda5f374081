#include "codegen/cuda/module.h"

#include <tuple>

#include "codegen/cuda/emitter.h"
#include "codegen/nest/pipeline.h"
#include "dsl/error.h"

namespace normforge::cuda {

KernelModule emit_module(const Backend &backend, const SweepPlan &plan, const Schedule &schedule, const Target &target,
                         const std::string &symbol) {
  if (const auto reason = backend.inapplicable(plan, schedule, target))
    throw UserError(*reason);
  const CudaMapping mapping = read_mapping(schedule.mapping);
  const nest::NestMapping nests = nest_mapping(plan, mapping);
  mlir::MLIRContext &context = nest::thread_context();
  Ir ir(mlir::UnknownLoc::get(&context), &context);
  KernelModule result{mlir::ModuleOp::create(ir.getLoc()), {}};
  ir.setInsertionPointToEnd(result.module->getBody());
  Kernel &kernel = result.facts;
  for (const Temporary &temporary : plan.temporaries)
    kernel.workspace.push_back({{nest::norm_axes(plan, temporary.axes), 0, 1, 1}, info(plan.specialized.compute).bytes});
  for (const Nest &nest : plan.nests) {
    const nest::NestShape shape = nest::shape_of(plan, nest, schedule.numerics, nests);
    const auto record = nest::add_record(plan, shape, schedule.numerics, nests, kernel.workspace);
    for (const nest::NestStep &step : nest::steps_of(plan, shape, nests, record)) {
      const std::string name = kernel.steps.empty() ? symbol : symbol + "_" + std::to_string(kernel.steps.size());
      Emitter emitter(ir, plan, shape, schedule.numerics, nests, target, record, threads_of(plan, shape, mapping), mapping);
      kernel.steps.push_back({.symbol = name, .items = step.items, .item_bytes = step.item_bytes, .launch = emitter.emit(name, step)});
    }
  }
  kernel.problem = to_text(plan.problem);
  kernel.schedule = to_text(schedule, backend.knobs());
  std::tie(kernel.writes, kernel.may_write) = written_outputs(plan);
  return result;
}

} // namespace normforge::cuda
