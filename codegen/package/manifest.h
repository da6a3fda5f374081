// What a library was made of, for people and for tools that compare two of them. No times, no paths: equal libraries have equal manifests.
#pragma once

#include <string>
#include <vector>

#include "codegen/package/files.h"
#include "codegen/package/selection.h"

namespace normforge {

/// JSON: the problems, compilers, where `schedules` are from, functions with their kernels (problem, schedule, target, size, hash of the
/// code, of GPUs' the size of their machine code, and of tuned ones the device that they were measured on) and checksums of `files`.
/// `kernels` by function and kernel of the selection.
std::string manifest_text(const std::string &library, const std::vector<Problem> &problems, const std::string &schedules,
                          const std::string &assembler, const Selection &selection, const std::vector<Kernel> &kernels,
                          const std::vector<OutputFile> &files);

/// "kernel_0123456789abcdef": a kernel's name in a library, by the contents of its object.
std::string object_name(const Kernel &kernel);

} // namespace normforge
