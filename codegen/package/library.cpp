#include "codegen/package/library.h"

#include <algorithm>
#include <cctype>
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

/// The runtime's objects with their symbols under the library's prefix: `nf_call` becomes `NAME_call`.
void add_runtime(const std::string &library, std::vector<Member> &members) {
  std::map<std::string, SymbolName> names;
  const auto rename = [&](const std::string &symbol) {
    const std::string plain = symbol.starts_with("nf_") ? symbol.substr(3) : symbol;
    names[symbol] = {prefixed(library, plain), !declared_by_runtime_header(symbol)};
  };
  std::vector<Member> runtime = read_archive(runtime_archive());
  for (const Member &member : runtime)
    for (const std::string &symbol : defined_symbols(member.bytes))
      rename(symbol);
  for (const char *symbol : {"nf_this_library", "nf_level_variable"}) // of tables.h
    rename(symbol);
  for (const Member &member : runtime)
    members.push_back({library + "_" + member.name.substr(0, member.name.find('.')) + ".o", rename_symbols(member.bytes, names)});
}

/// Adds a kernel's object unless an equal one is there; returns the symbols of its steps, without the prefix.
std::vector<std::string> add_kernel(const std::string &library, const Kernel &kernel, std::set<std::string> &added,
                                    std::vector<Member> &members) {
  const std::string entry = object_name(kernel);
  const auto renamed = [&](const std::string &symbol) {
    internal_check(symbol.starts_with(kEntry));
    return entry + symbol.substr(kEntry.size());
  };
  if (added.insert(entry).second) {
    std::map<std::string, SymbolName> names;
    for (const std::string &symbol : defined_symbols(kernel.object))
      names[symbol] = {prefixed(library, renamed(symbol)), true};
    members.push_back({prefixed(library, entry) + ".o", rename_symbols(kernel.object, names)});
  }
  std::vector<std::string> symbols;
  for (const Step &step : kernel.steps)
    symbols.push_back(renamed(step.symbol));
  return symbols;
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
    INTERFACE_LINK_LIBRARIES Threads::Threads)
  unset(@NAME@_prefix)
endif()
)";
  return std::regex_replace(text, std::regex("@NAME@"), library);
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
  Selection selection = select_kernels(problems, options.targets, options.choices);
  std::vector<const SelectedKernel *> selected;
  for (const SelectedFunction &function : selection.functions)
    for (const SelectedKernel &kernel : function.kernels)
      selected.push_back(&kernel);

  Library library;
  const std::vector<Kernel> kernels =
      compile_kernels(selected, KernelCache(options.cache), options.jobs, [&](const CompileProgress &progress) {
        library.kernels = progress;
        if (options.progress)
          options.progress(progress);
      });

  std::vector<Member> members, kernel_members;
  std::vector<const FunctionTable *> tables;
  std::set<std::string> added;
  size_t next = 0;
  for (SelectedFunction &function : selection.functions) {
    FunctionTable &table = *function.table;
    std::vector<std::vector<std::string>> symbols;
    for (const SelectedKernel &chosen : function.kernels) {
      library.tuned += chosen.origin == NF_TUNED;
      const Kernel &kernel = kernels[next++];
      std::vector<nf_step> steps;
      for (const Step &step : kernel.steps)
        steps.push_back({nullptr, step.items, step.item_bytes});
      table.add_kernel(chosen.plan->problem, *chosen.target, kernel, steps, chosen.origin);
      symbols.push_back(add_kernel(name, kernel, added, kernel_members));
    }
    library.functions.push_back(table.function().name);
    members.push_back({prefixed(name, library.functions.back()) + ".o", emit_function(name, table, symbols)});
    tables.push_back(&table);
  }
  members.push_back({prefixed(name, "this_library.o"), emit_description(name, library.functions)});
  members.push_back({prefixed(name, "level_variable.o"), emit_level_variable(name)});
  add_runtime(name, members);
  std::ranges::move(kernel_members, std::back_inserter(members));

  library.files = {{"lib/lib" + name + ".a", write_archive(members)},
                   {"include/" + name + ".h", header_text(name, tables)},
                   {"lib/cmake/" + name + "/" + name + "Config.cmake", cmake_config(name)}};
  library.files.push_back(
      {"share/" + name + "/manifest.json", manifest_text(name, problems, options.schedules, selection, kernels, library.files)});
  return library;
}

} // namespace normforge
