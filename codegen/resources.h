// The vendor's assembler: machine code of a GPU kernel, and what it takes of its processor.
#pragma once

#include <string>

#include "codegen/kernel.h"
#include "codegen/target.h"

namespace normforge {

/// The assembler: what NORMFORGE_PTXAS names, or ptxas on the PATH or where CUDA is installed; empty: there is none.
std::string find_ptxas();

/// What `ptxas` says of its version, in a line. Throws UserError where it cannot be run.
std::string ptxas_version(const std::string &ptxas);

/// The kernel's PTX as machine code for `gpu`. Throws UserError where `ptxas` refuses it.
std::string cubin_of(const Kernel &, const Target &gpu, const std::string &ptxas);

/// Assembles the kernel's PTX for `gpu` and returns a table, a line per step: registers, spilled bytes, local and shared memory, threads of
/// a block, how many warps a multiprocessor holds, bytes of the widest load and of the one that the schedule promises, and bytes that are
/// moved per element of a row. Throws UserError where there is no ptxas, or it refuses the kernel.
std::string resource_table(const Kernel &, const Target &gpu);

} // namespace normforge
