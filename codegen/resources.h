// The vendor's assembler: machine code of a GPU kernel, and what it takes of its processor.
#pragma once

#include <string>
#include <vector>

#include "codegen/kernel.h"
#include "codegen/target.h"

namespace normforge {

/// The assembler: what NORMFORGE_PTXAS names, or ptxas on the PATH or where CUDA is installed; empty: there is none.
std::string find_ptxas();

/// What `ptxas` says of its version, in a line. Throws UserError where it cannot be run.
std::string ptxas_version(const std::string &ptxas);

/// Machine code, and the bytes of registers that it stores and loads again for want of room.
struct Cubin {
  std::string code;
  int64_t spilled_bytes = 0;
};

/// Of the kernel's PTX, for `gpu`. Throws UserError where `ptxas` refuses it.
Cubin cubin_of(const Kernel &, const Target &gpu, const std::string &ptxas);

/// What a step takes of a multiprocessor, and what it moves. Bytes, where nothing else is said.
struct StepResources {
  std::string symbol;
  int64_t registers = 0;  ///< of a thread
  int64_t spilled = 0;    ///< stores and loads of registers that there was no room for
  int64_t local = 0;      ///< memory of a thread's own, spilled registers or not
  int64_t shared = 0;     ///< of a block
  int64_t threads = 0;    ///< of a block
  int64_t warps = 0;      ///< that a multiprocessor holds at once,
  int64_t most_warps = 0; ///< and that it could hold of other kernels
  int access = 0;         ///< of the widest load,
  int promised = 0;       ///< and of the one that the schedule promises
  double point = 0;       ///< moved for each element of a row
};

/// Assembles the kernel's PTX for `gpu`. Throws UserError where there is no ptxas, or it refuses the kernel.
std::vector<StepResources> resources_of(const Kernel &, const Target &gpu);

/// They as a table, a line for each step.
std::string to_table(const std::vector<StepResources> &);

} // namespace normforge
