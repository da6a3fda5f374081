// The header of a library: C11 and C++, complete in itself.
#pragma once

#include <string>
#include <vector>

#include "codegen/package/function.h"

namespace normforge {

/// The text of NAME.h: the runtime's declarations under the library's prefix, then for each function its args struct, `…_defaults()` and
/// entry points. A function that runs on GPUs comes behind the one that runs on CPUs, whose args struct it shares, where there is that.
std::string header_text(const std::string &library, const std::vector<const FunctionTable *> &functions);

/// Whether the header declares a function of the runtime, by its name there (`nf_…`): everything else of the runtime stays hidden.
bool declared_by_runtime_header(const std::string &symbol);

} // namespace normforge
