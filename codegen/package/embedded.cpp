#include "codegen/package/embedded.h"

// The assembler reads the files: no C array of a megabyte to compile. The build names them, and rebuilds this file when they change.
#define EMBED(symbol, file)                                                                                                                \
  asm(".section .rodata\n.balign 16\n" #symbol ":\n.incbin \"" file "\"\n" #symbol "_end:\n.previous\n");                                  \
  extern "C" __attribute__((visibility("hidden"))) const char symbol[], symbol##_end[];

EMBED(normforge_embedded_runtime, NORMFORGE_RUNTIME_ARCHIVE)
EMBED(normforge_embedded_runtime_header, NORMFORGE_RUNTIME_DIRECTORY "/runtime.h")
EMBED(normforge_embedded_description_header, NORMFORGE_RUNTIME_DIRECTORY "/description.h")
EMBED(normforge_embedded_cuda_header, NORMFORGE_RUNTIME_DIRECTORY "/cuda.h")

namespace normforge {

std::string_view runtime_archive() { return {normforge_embedded_runtime, normforge_embedded_runtime_end}; }
std::string_view runtime_header() { return {normforge_embedded_runtime_header, normforge_embedded_runtime_header_end}; }
std::string_view description_header() { return {normforge_embedded_description_header, normforge_embedded_description_header_end}; }
std::string_view cuda_header() { return {normforge_embedded_cuda_header, normforge_embedded_cuda_header_end}; }

} // namespace normforge
