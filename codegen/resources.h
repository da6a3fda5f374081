// What a GPU kernel takes of its processor, as the vendor's assembler says.
#pragma once

#include <string>

#include "codegen/kernel.h"
#include "codegen/target.h"

namespace normforge {

/// The assembler: what NORMFORGE_PTXAS names, or ptxas on the PATH or where CUDA is installed; empty: there is none.
std::string find_ptxas();

/// Assembles the kernel's PTX for `gpu` and returns a table, a line per step: registers, spilled bytes, local and shared memory, threads of
/// a block, how many warps a multiprocessor holds, bytes of the widest load and of the one that the schedule promises, and bytes that are
/// moved per element of a row. Throws UserError where there is no ptxas, or it refuses the kernel.
std::string resource_table(const Kernel &, const Target &gpu);

} // namespace normforge
