#include "codegen/package/library.h"

#include <algorithm>
#include <cctype>
#include <deque>
#include <regex>
#include <set>

#include "codegen/package/embedded.h"
#include "codegen/package/header.h"
#include "codegen/package/manifest.h"
#include "codegen/package/object.h"
#include "codegen/package/tables.h"
#include "dsl/error.h"

namespace normforge {
namespace {

constexpr std::string_view kEntry = "kernel"; // what compile_kernels() calls entry points

/// The objects of a library as they come together.
class Objects {
public:
  explicit Objects(std::string library) : library(std::move(library)) {}

  /// The function's kernels that run on GPUs, or on CPUs, behind entry points of their own; nothing where it has none. `kernels` are by its
  /// own.
  void add_function(const SelectedFunction &function, std::span<const Kernel> kernels, bool on_gpu);

  /// What stands around the functions: the runtime, with its symbols under the library's prefix (`nf_call` becomes `NAME_call`), and what
  /// it takes from the library. Its part that calls the CUDA driver is there where code for GPUs is.
  void add_runtime();

  std::string archive() const;

  std::deque<FunctionTable> tables; ///< by function

private:
  std::vector<std::string> add_kernel(const Kernel &kernel);
  std::vector<std::string> add_device_code(const Kernel &kernel);

  std::string library;
  std::vector<Member> members, kernels;
  std::set<std::string> added; ///< kernels, by name
};

void Objects::add_function(const SelectedFunction &function, std::span<const Kernel> compiled, bool on_gpu) {
  const auto runs_there = [&](const SelectedKernel &kernel) { return kernel.target->gpu() == on_gpu; };
  if (std::ranges::none_of(function.kernels, runs_there))
    return;
  FunctionTable &table = tables.emplace_back(function.table->problem());
  std::vector<std::vector<std::string>> symbols;
  for (size_t k = 0; k < compiled.size(); ++k) {
    const SelectedKernel &chosen = function.kernels[k];
    if (!runs_there(chosen))
      continue;
    std::vector<nf_step> steps;
    for (const Step &step : compiled[k].steps)
      steps.push_back({nullptr, step.items, step.item_bytes, nullptr});
    table.add_kernel(chosen.plan->problem, *chosen.target, compiled[k], steps, chosen.origin);
    symbols.push_back(on_gpu ? add_device_code(compiled[k]) : add_kernel(compiled[k]));
  }
  members.push_back({prefixed(library, function_symbol(table)) + ".o", emit_function(library, table, symbols)});
}

/// Adds the object unless an equal one is there; returns the symbols of its steps, without the prefix.
std::vector<std::string> Objects::add_kernel(const Kernel &kernel) {
  const std::string entry = object_name(kernel);
  const auto renamed = [&](const std::string &symbol) {
    internal_check(symbol.starts_with(kEntry));
    return entry + symbol.substr(kEntry.size());
  };
  if (added.insert(entry).second) {
    std::map<std::string, SymbolName> names;
    for (const std::string &symbol : defined_symbols(kernel.object))
      names[symbol] = {prefixed(library, renamed(symbol)), true};
    kernels.push_back({prefixed(library, entry) + ".o", rename_symbols(kernel.object, names)});
  }
  std::vector<std::string> symbols;
  for (const Step &step : kernel.steps)
    symbols.push_back(renamed(step.symbol));
  return symbols;
}

/// Likewise; returns the name that emit_function() wants.
std::vector<std::string> Objects::add_device_code(const Kernel &kernel) {
  const std::string entry = object_name(kernel);
  if (added.insert(entry).second)
    kernels.push_back({prefixed(library, entry) + ".o", emit_device_code(library, entry, kernel.object, kernel.image)});
  return {entry};
}

void Objects::add_runtime() {
  std::vector<const FunctionTable *> functions;
  for (const FunctionTable &table : tables)
    functions.push_back(&table);
  members.push_back({prefixed(library, "this_library.o"), emit_description(library, functions)});
  members.push_back({prefixed(library, "level_variable.o"), emit_level_variable(library)});
  std::map<std::string, SymbolName> names;
  const auto rename = [&](const std::string &symbol) {
    const std::string plain = symbol.starts_with("nf_") ? symbol.substr(3) : symbol;
    names[symbol] = {prefixed(library, plain), !declared_by_runtime_header(symbol)};
  };
  std::vector<Member> runtime = read_archive(runtime_archive());
  if (std::ranges::none_of(tables, &FunctionTable::on_gpu))
    std::erase_if(runtime, [](const Member &member) { return member.name.starts_with("cuda"); });
  for (const Member &member : runtime)
    for (const std::string &symbol : defined_symbols(member.bytes))
      rename(symbol);
  for (const char *symbol : {"nf_this_library", "nf_level_variable"}) // of tables.h
    rename(symbol);
  for (const Member &member : runtime)
    members.push_back({library + "_" + member.name.substr(0, member.name.find('.')) + ".o", rename_symbols(member.bytes, names)});
}

std::string Objects::archive() const {
  std::vector<Member> all = members;
  all.insert(all.end(), kernels.begin(), kernels.end());
  return write_archive(all);
}

std::string cmake_config(const std::string &library) {
  const std::string text = R"(# The library @NAME@, found where this file stands.
include(CMakeFindDependencyMacro)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_dependency(Threads)
if(NOT TARGET @NAME@::@NAME@)
  get_filename_component(@NAME@_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
  add_library(@NAME@::@NAME@ STATIC IMPORTED)
  set_target_properties(@NAME@::@NAME@ PROPERTIES
    IMPORTED_LOCATION "${@NAME@_prefix}/lib/lib@NAME@.a"
    IMPORTED_LINK_INTERFACE_LANGUAGES C
    INTERFACE_INCLUDE_DIRECTORIES "${@NAME@_prefix}/include"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS}")
  unset(@NAME@_prefix)
endif()
)";
  return std::regex_replace(text, std::regex("@NAME@"), library);
}

/// "1 of 4 kernels for GPUs"; empty: all of them have no machine code.
std::string refused_part(const Assembling &assembling) {
  if (assembling.refused == 0 || assembling.refused == assembling.kernels)
    return "";
  return std::to_string(assembling.refused) + " of " + std::to_string(assembling.kernels) + " kernels for GPUs";
}

std::string ptx_alone(const Assembling &assembling) {
  const std::string part = refused_part(assembling);
  return part.empty() ? "GPUs get PTX alone" : part + (assembling.refused == 1 ? " is" : " are") + " PTX alone";
}

} // namespace

void check_library_name(const std::string &name) {
  const auto part = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) || !std::ranges::all_of(name, part))
    throw UserError("library name '" + name + "': expected a C identifier, such as 'norms'");
}

Library make_library(const std::vector<Problem> &problems, const LibraryOptions &options) {
  const std::string &name = options.name;
  check_library_name(name);
  if (options.targets.empty())
    throw UserError("give at least one target, such as x86-64-v3");
  Selection selection = select_kernels(problems, options.targets, options.choices, options.same_bits);
  std::vector<const SelectedKernel *> selected;
  for (const SelectedFunction &function : selection.functions)
    for (const SelectedKernel &kernel : function.kernels)
      selected.push_back(&kernel);
  const bool gpu = std::ranges::any_of(options.targets, &Target::gpu);
  Assembling assembling = gpu ? find_assembler() : Assembling();
  const auto require_cubins = [&] {
    if (options.require_cubin && !assembling.refusal.empty())
      throw UserError("no machine code for " + (refused_part(assembling).empty() ? "GPUs" : refused_part(assembling)) + ": " +
                      assembling.refusal);
  };
  require_cubins();

  Library library;
  const std::vector<Kernel> kernels = compile_kernels(
      selected, KernelCache(options.cache), options.jobs,
      [&](const CompileProgress &progress) {
        library.kernels = progress;
        if (options.progress)
          options.progress(progress);
      },
      gpu ? &assembling : nullptr);
  require_cubins();
  if (!assembling.refusal.empty())
    library.no_cubin = ptx_alone(assembling) + ", which their driver compiles: " + assembling.refusal;

  Objects objects(name);
  std::span<const Kernel> left = kernels;
  for (const SelectedFunction &function : selection.functions) {
    for (const bool on_gpu : {false, true})
      objects.add_function(function, left.first(function.kernels.size()), on_gpu);
    left = left.subspan(function.kernels.size());
  }
  objects.add_runtime();
  std::vector<const FunctionTable *> tables;
  for (const FunctionTable &table : objects.tables) {
    library.functions.push_back(function_symbol(table));
    tables.push_back(&table);
  }
  for (const SelectedKernel *kernel : selected)
    library.tuned += kernel->origin == NF_TUNED;

  library.files = {{"lib/lib" + name + ".a", objects.archive()},
                   {"include/" + name + ".h", header_text(name, tables)},
                   {"lib/cmake/" + name + "/" + name + "Config.cmake", cmake_config(name)}};
  library.files.push_back({"share/" + name + "/manifest.json",
                           manifest_text(name, problems, options.schedules, assembling.version, selection, kernels, library.files)});
  return library;
}

} // namespace normforge
