#include "codegen/package/tables.h"

#include <cctype>

#include "codegen/package/table_module.h"
#include "dsl/error.h"
#include "runtime/abi.h"

namespace normforge {
namespace {

std::string table_symbol(const FunctionTable &table) { return function_symbol(table) + "_table"; }

std::string ptx_symbol(const std::string &kernel) { return kernel + "_ptx"; }
std::string cubin_symbol(const std::string &kernel) { return kernel + "_cubin"; }

llvm::Constant *launch(TableModule &module, const nf_launch *launch) {
  return module.structs(launch, launch ? 1 : 0, [&](const nf_launch &, int32_t) {
    return Image(*launch)
        .pointer(&nf_launch::symbol, module.text(launch->symbol))
        .fields(&nf_launch::threads, &nf_launch::rows, &nf_launch::cluster, &nf_launch::resident, &nf_launch::shared_bytes,
                &nf_launch::parameters)
        .pointer(&nf_launch::parameter, module.numbers(std::span(launch->parameter, size_t(launch->parameters))));
  });
}

llvm::Constant *device_code(TableModule &module, const nf_device_code *code, const std::string &kernel) {
  return module.structs(code, code ? 1 : 0, [&](const nf_device_code &, int32_t) {
    return Image(*code)
        .pointer(&nf_device_code::cubin, code->cubin ? module.external(cubin_symbol(kernel)) : module.none())
        .pointer(&nf_device_code::ptx, module.external(ptx_symbol(kernel)))
        .fields(&nf_device_code::hash);
  });
}

llvm::Constant *kernels(TableModule &module, const nf_function &function, const std::vector<std::vector<std::string>> &symbols) {
  internal_check(symbols.size() == size_t(function.kernels));
  return module.structs(function.kernel, function.kernels, [&](const nf_kernel &kernel, int32_t k) {
    llvm::Constant *steps = module.structs(kernel.step, kernel.steps, [&](const nf_step &step, int32_t s) {
      return Image(step)
          .pointer(&nf_step::run, step.launch ? module.none() : module.external(symbols[size_t(k)].at(size_t(s))))
          .fields(&nf_step::items, &nf_step::item_bytes)
          .pointer(&nf_step::launch, launch(module, step.launch));
    });
    llvm::Constant *buffers = module.structs(kernel.buffer, kernel.buffers, [](const nf_buffer &buffer, int32_t) {
      return Image(buffer).fields(&nf_buffer::count, &nf_buffer::bytes);
    });
    return Image(kernel)
        .fields(&nf_kernel::level, &nf_kernel::origin, &nf_kernel::needs, &nf_kernel::takes, &nf_kernel::dense, &nf_kernel::rows,
                &nf_kernel::in_place, &nf_kernel::ranges, &nf_kernel::steps, &nf_kernel::buffers, &nf_kernel::grain_bytes)
        .pointer(&nf_kernel::step, steps)
        .pointer(&nf_kernel::buffer, buffers)
        .pointer(&nf_kernel::code, device_code(module, kernel.code, symbols[size_t(k)].front()))
        .pointer(&nf_kernel::problem, module.text(kernel.problem))
        .pointer(&nf_kernel::schedule, module.text(kernel.schedule));
  });
}

void add_table(TableModule &module, const FunctionTable &functions, const std::vector<std::vector<std::string>> &symbols) {
  const nf_function &function = functions.function();
  llvm::Constant *axes = module.structs(function.axis, function.axes, [&](const nf_axis &axis, int32_t) {
    return Image(axis).pointer(&nf_axis::name, module.text(axis.name)).fields(&nf_axis::extent_offset, &nf_axis::length);
  });
  llvm::Constant *tensors = module.structs(function.tensor, function.tensors, [&](const nf_tensor &tensor, int32_t) {
    return Image(tensor)
        .pointer(&nf_tensor::name, module.text(tensor.name))
        .fields(&nf_tensor::role, &nf_tensor::dtype, &nf_tensor::optional, &nf_tensor::rank, &nf_tensor::axes, &nf_tensor::stride_offset,
                &nf_tensor::pointer_offset, &nf_tensor::in_place);
  });
  llvm::Constant *scalars = module.structs(function.scalar, function.scalars, [&](const nf_scalar &scalar, int32_t) {
    return Image(scalar)
        .pointer(&nf_scalar::name, module.text(scalar.name))
        .fields(&nf_scalar::offset, &nf_scalar::set_size, &nf_scalar::lo, &nf_scalar::hi, &nf_scalar::lo_open, &nf_scalar::hi_open)
        .pointer(&nf_scalar::set, module.numbers(std::span(scalar.set, size_t(scalar.set_size))));
  });
  llvm::Constant *requirements =
      module.structs(function.requirement, function.requirements, [&](const nf_requirement &requirement, int32_t) {
        Image image(requirement);
        for (nf_operand nf_requirement::*side : {&nf_requirement::lhs, &nf_requirement::rhs})
          image.inner(side, &nf_operand::kind)
              .inner(side, &nf_operand::axes)
              .inner(side, &nf_operand::scalar)
              .inner(side, &nf_operand::constant);
        return image.fields(&nf_requirement::compare).pointer(&nf_requirement::text, module.text(requirement.text));
      });
  llvm::Constant *kernel = kernels(module, function, symbols);
  llvm::Constant *table = module.structs(
      &function, 1,
      [&](const nf_function &, int32_t) {
        return Image(function)
            .pointer(&nf_function::name, module.text(function.name))
            .pointer(&nf_function::norm, module.text(function.norm))
            .fields(&nf_function::axes, &nf_function::tensors, &nf_function::scalars, &nf_function::requirements, &nf_function::kernels)
            .pointer(&nf_function::axis, axes)
            .pointer(&nf_function::tensor, tensors)
            .pointer(&nf_function::scalar, scalars)
            .pointer(&nf_function::requirement, requirements)
            .pointer(&nf_function::kernel, kernel);
      },
      table_symbol(functions));
  const std::string name = function_symbol(functions), runtime = functions.on_gpu() ? "cuda_" : "";
  module.forward(name, 2, runtime + "call", table);
  module.forward(name + "_which", 3, runtime + "which", table);
  module.forward(name + "_workspace_bytes", 2, runtime + "workspace_bytes", table);
}

} // namespace

std::string function_symbol(const FunctionTable &table) { return std::string(table.function().name) + (table.on_gpu() ? "_cuda" : ""); }

std::string level_variable(const std::string &library) {
  std::string name = prefixed(library, "LEVEL");
  for (char &c : name)
    c = char(std::toupper(c));
  return name;
}

std::string emit_function(const std::string &library, const FunctionTable &table,
                          const std::vector<std::vector<std::string>> &kernel_symbols) {
  TableModule module(library);
  add_table(module, table, kernel_symbols);
  return module.object();
}

std::string emit_device_code(const std::string &library, const std::string &kernel, const std::string &ptx, const std::string &cubin) {
  TableModule module(library);
  module.bytes(ptx, ptx_symbol(kernel));
  if (!cubin.empty())
    module.bytes(cubin, cubin_symbol(kernel));
  return module.object();
}

std::string emit_description(const std::string &library, const std::vector<const FunctionTable *> &functions) {
  TableModule module(library);
  std::vector<llvm::Constant *> tables, cuda_tables;
  for (const FunctionTable *function : functions)
    (function->on_gpu() ? cuda_tables : tables).push_back(module.external(table_symbol(*function)));
  nf_library description{};
  description.functions = int32_t(tables.size());
  description.cuda_functions = int32_t(cuda_tables.size());
  module.structs(
      &description, 1,
      [&](const nf_library &, int32_t) {
        return Image(description)
            .pointer(&nf_library::name, module.text(library.c_str()))
            .pointer(&nf_library::version, module.text(NORMFORGE_VERSION))
            .pointer(&nf_library::level_variable, module.external("level_variable"))
            .fields(&nf_library::functions)
            .pointer(&nf_library::function, module.pointers(tables))
            .fields(&nf_library::cuda_functions)
            .pointer(&nf_library::cuda_function, module.pointers(cuda_tables));
      },
      "this_library");
  return module.object();
}

std::string emit_level_variable(const std::string &library) {
  TableModule module(library);
  module.text(level_variable(library).c_str(), "level_variable");
  return module.object();
}

} // namespace normforge
