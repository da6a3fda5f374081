// The package that an application links: lib/libNAME.a, include/NAME.h, lib/cmake/NAME/NAMEConfig.cmake and share/NAME/manifest.json. Its
// bytes depend on the problems, the targets, the choices, this build of normforge and, for GPUs, the assembler; not on where it is built,
// on how many cores, or on what the cache held.
//
// Code for GPUs is data in the same archive, with functions of its own (`…_cuda`), so that a program that calls none of them links none.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "codegen/package/compile.h"
#include "codegen/package/files.h"

namespace normforge {

struct LibraryOptions {
  std::string name; ///< a C identifier: every symbol begins with it
  std::vector<const Target *> targets;
  std::vector<KernelChoice> choices; ///< see select_kernels()
  std::string schedules = "default"; ///< where `choices` are from, in a word for the manifest
  std::string cache;                 ///< directory of compiled kernels; empty: none
  int jobs = 0;                      ///< threads; 0: one per core
  bool same_bits = false;            ///< see select_kernels()
  bool require_cubin = false;        ///< PTX alone is not enough for a GPU
  std::function<void(const CompileProgress &)> progress;
};

struct Library {
  std::vector<OutputFile> files; ///< paths relative to the package's directory
  std::vector<std::string> functions;
  CompileProgress kernels; ///< as it ended
  int tuned = 0;           ///< kernels by choices
  std::string no_cubin;    ///< which kernels of GPUs are there as PTX alone, and why; empty: none is
};

/// Throws UserError for a name that is no C identifier.
void check_library_name(const std::string &name);

/// Throws UserError for such a name, no target, what select_kernels() and the backends refuse, and a cubin that is required and not to be
/// had.
Library make_library(const std::vector<Problem> &problems, const LibraryOptions &options);

} // namespace normforge
