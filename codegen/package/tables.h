// Function tables written out as constants, with the typed entry points that hand them to the runtime. Each function is an object file of
// its own, so that a program links the kernels of what it calls alone.
#pragma once

#include <string>
#include <vector>

#include "codegen/package/function.h"

namespace normforge {

/// Symbols of a library called NAME all begin with `NAME_`.
inline std::string prefixed(const std::string &library, const std::string &symbol) { return library + "_" + symbol; }

/// What the symbols of a function begin with, without the library's prefix.
std::string function_symbol(const FunctionTable &table);

/// The object of one function, which defines
///   NAME_status NAME_<function>(const NAME_<function>_args *, const NAME_options *)
///   NAME_status NAME_<function>_which(const NAME_<function>_args *, const NAME_options *, NAME_choice *)
///   NAME_status NAME_<function>_workspace_bytes(const NAME_<function>_args *, int64_t *)
/// or, where the kernels are a GPU's,
///   NAME_status NAME_<function>_cuda(const NAME_<function>_args *, const NAME_cuda_options *)
/// and likewise. `kernel_symbols` names the code of each step of each kernel of the table, without the prefix; of a GPU's kernel, its name
/// alone.
std::string emit_function(const std::string &library, const FunctionTable &table,
                          const std::vector<std::vector<std::string>> &kernel_symbols);

/// The object of a GPU kernel's code, as data: its PTX, and where there is one its cubin.
std::string emit_device_code(const std::string &library, const std::string &kernel, const std::string &ptx, const std::string &cubin);

/// The environment variable that forces a level in a library: "NAME_LEVEL".
std::string level_variable(const std::string &library);

/// What the runtime takes from around it (runtime/library.h), an object each: the description of a library of these functions, and the name
/// of that variable.
std::string emit_description(const std::string &library, const std::vector<const FunctionTable *> &functions);
std::string emit_level_variable(const std::string &library);

} // namespace normforge
