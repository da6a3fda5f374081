#include "autotune/pack/runner.h"

// The assembler reads the file: no C array of megabytes to compile. The build names it, and rebuilds this file when it changes.
asm(".section .rodata\n.balign 16\nnormforge_runner:\n.incbin \"" NORMFORGE_RUNNER "\"\nnormforge_runner_end:\n.previous\n");
extern "C" __attribute__((visibility("hidden"))) const char normforge_runner[], normforge_runner_end[];

namespace normforge {

std::string_view runner() { return {normforge_runner, normforge_runner_end}; }

} // namespace normforge
