// A table of the ABI goes from the C structs of this process into an LLVM module as its bytes, field by field (padding stays zero, so that
// equal tables are equal bytes), with symbols where the fields are pointers. The compiler's own struct layout is thus the only one there
// is.
#include "codegen/package/tables.h"

#include <cctype>
#include <cstring>
#include <mutex>

#include "dsl/error.h"
#include "runtime/abi.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

namespace normforge {
namespace {

using Parts = std::vector<llvm::Constant *>;

/// A C struct on its way into a module: the fields that are named, zeros elsewhere.
template <class T> class Image {
public:
  explicit Image(const T &value) : value(value), bytes(sizeof(T), '\0') {}

  template <class... M> Image &fields(M T::*...members) {
    (std::memcpy(bytes.data() + offset(members), &(value.*members), sizeof(value.*members)), ...);
    return *this;
  }
  /// A field of a struct within the struct.
  template <class S, class M> Image &inner(S T::*outer, M S::*member) {
    const size_t at =
        offset(outer) + size_t(reinterpret_cast<const char *>(&(value.*outer.*member)) - reinterpret_cast<const char *>(&(value.*outer)));
    std::memcpy(bytes.data() + at, &(value.*outer.*member), sizeof(value.*outer.*member));
    return *this;
  }
  template <class M> Image &pointer(M *T::*member, llvm::Constant *to) {
    pointers.emplace_back(offset(member), to);
    return *this;
  }

  /// Appends the struct to `parts`. Pointers are added in increasing order of their offset.
  void append_to(Parts &parts, llvm::LLVMContext &context) const {
    size_t at = 0;
    const auto plain = [&](size_t end) {
      if (end > at)
        parts.push_back(llvm::ConstantDataArray::getString(context, llvm::StringRef(bytes).slice(at, end), /*AddNull=*/false));
    };
    for (const auto &[position, to] : pointers) {
      internal_check(position >= at);
      plain(position);
      parts.push_back(to);
      at = position + sizeof(void *);
    }
    plain(bytes.size());
  }

private:
  template <class M> size_t offset(M T::*member) const {
    return size_t(reinterpret_cast<const char *>(&(value.*member)) - reinterpret_cast<const char *>(&value));
  }

  const T &value;
  std::string bytes;
  std::vector<std::pair<size_t, llvm::Constant *>> pointers;
};

/// A module of constants and entry points of one library, and its way to an object file. Names are without the library's prefix.
class TableModule {
public:
  explicit TableModule(std::string library)
      : library(std::move(library)), module("tables", context), pointer_type(llvm::PointerType::get(context, 0)) {
    static std::once_flag once;
    std::call_once(once, [] {
      LLVMInitializeX86TargetInfo();
      LLVMInitializeX86Target();
      LLVMInitializeX86TargetMC();
      LLVMInitializeX86AsmPrinter();
    });
    const llvm::Triple triple("x86_64-unknown-linux-gnu");
    std::string error;
    const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
    internal_check(target);
    machine.reset(target->createTargetMachine(triple, "x86-64", "", {}, llvm::Reloc::PIC_));
    module.setTargetTriple(triple);
    module.setDataLayout(machine->createDataLayout());
    module.setPICLevel(llvm::PICLevel::BigPIC);
  }

  llvm::Constant *none() { return llvm::ConstantPointerNull::get(pointer_type); }

  llvm::Constant *text(const char *characters, const std::string &symbol = "") {
    return characters ? constant(llvm::ConstantDataArray::getString(context, characters), symbol) : none();
  }

  llvm::Constant *bytes(const std::string &data, const std::string &symbol) {
    return constant(llvm::ConstantDataArray::getString(context, data), symbol);
  }

  template <class Number> llvm::Constant *numbers(const Number *first, size_t count) {
    return count ? constant(llvm::ConstantDataArray::get(context, llvm::ArrayRef(first, count))) : none();
  }

  llvm::Constant *pointers(const Parts &elements) {
    return elements.empty() ? none() : constant(llvm::ConstantArray::get(llvm::ArrayType::get(pointer_type, elements.size()), elements));
  }

  /// An array of structs: `image` makes each.
  template <class T> llvm::Constant *structs(const T *first, int32_t count, auto image, const std::string &symbol = "") {
    Parts parts;
    for (int32_t i = 0; i < count; ++i)
      image(first[i], i).append_to(parts, context);
    return parts.empty() ? none() : constant(llvm::ConstantStruct::getAnon(context, parts, /*Packed=*/true), symbol);
  }

  /// The address of something in another object of the library.
  llvm::Constant *external(const std::string &symbol) {
    return module.getOrInsertGlobal(prefixed(library, symbol), llvm::Type::getInt8Ty(context));
  }

  /// status NAME_`symbol`(p…) { return NAME_`callee`(first, p…); } with `parameters` pointers p.
  void forward(const std::string &symbol, size_t parameters, const std::string &callee, llvm::Constant *first) {
    llvm::IRBuilder<> builder(context);
    const auto type = [&](size_t count) {
      return llvm::FunctionType::get(builder.getInt32Ty(), std::vector<llvm::Type *>(count, pointer_type), false);
    };
    auto *function = llvm::Function::Create(type(parameters), llvm::GlobalValue::ExternalLinkage, prefixed(library, symbol), module);
    function->setDoesNotThrow();
    builder.SetInsertPoint(llvm::BasicBlock::Create(context, "", function));
    std::vector<llvm::Value *> arguments{first};
    for (llvm::Argument &argument : function->args())
      arguments.push_back(&argument);
    llvm::CallInst *call = builder.CreateCall(module.getOrInsertFunction(prefixed(library, callee), type(parameters + 1)), arguments);
    call->setTailCall();
    builder.CreateRet(call);
  }

  std::string object() {
    llvm::SmallString<0> bytes;
    llvm::raw_svector_ostream out(bytes);
    llvm::legacy::PassManager passes;
    internal_check(!machine->addPassesToEmitFile(passes, out, nullptr, llvm::CodeGenFileType::ObjectFile));
    passes.run(module);
    return bytes.str().str();
  }

private:
  /// With a symbol: for the other objects of the library.
  llvm::GlobalVariable *constant(llvm::Constant *value, const std::string &symbol = "") {
    auto *variable = new llvm::GlobalVariable(module, value->getType(), true, llvm::GlobalValue::PrivateLinkage, value);
    if (!symbol.empty()) {
      variable->setName(prefixed(library, symbol));
      variable->setLinkage(llvm::GlobalValue::ExternalLinkage);
      variable->setVisibility(llvm::GlobalValue::HiddenVisibility);
    }
    variable->setAlignment(llvm::Align(8));
    return variable;
  }

  std::string library;
  llvm::LLVMContext context;
  llvm::Module module;
  llvm::PointerType *pointer_type;
  std::unique_ptr<llvm::TargetMachine> machine;
};

std::string table_symbol(const FunctionTable &table) { return function_symbol(table) + "_table"; }

std::string ptx_symbol(const std::string &kernel) { return kernel + "_ptx"; }
std::string cubin_symbol(const std::string &kernel) { return kernel + "_cubin"; }

llvm::Constant *launch(TableModule &module, const nf_launch *launch) {
  return module.structs(launch, launch ? 1 : 0, [&](const nf_launch &, int32_t) {
    return Image(*launch)
        .pointer(&nf_launch::symbol, module.text(launch->symbol))
        .fields(&nf_launch::threads, &nf_launch::rows, &nf_launch::cluster, &nf_launch::resident, &nf_launch::shared_bytes,
                &nf_launch::parameters)
        .pointer(&nf_launch::parameter, module.numbers(launch->parameter, size_t(launch->parameters)));
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
        .pointer(&nf_scalar::set, module.numbers(scalar.set, size_t(scalar.set_size)));
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
  Parts tables, cuda_tables;
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
