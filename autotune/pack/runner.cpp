#include "autotune/pack/runner.h"

// The assembler reads the files: no C arrays of megabytes to compile. The build names them, and rebuilds this file when they change.
#define EMBED(symbol, file) asm(".section .rodata\n.balign 16\n" #symbol ":\n.incbin \"" file "\"\n" #symbol "_end:\n.previous\n")
EMBED(normforge_cpu_runner, NORMFORGE_RUNNER);
EMBED(normforge_gpu_runner, NORMFORGE_GPU_RUNNER);
extern "C" __attribute__((visibility("hidden"))) const char normforge_cpu_runner[], normforge_cpu_runner_end[], normforge_gpu_runner[],
    normforge_gpu_runner_end[];

namespace normforge {

std::string_view runner(const Target &target) {
  if (target.gpu())
    return {normforge_gpu_runner, normforge_gpu_runner_end};
  return {normforge_cpu_runner, normforge_cpu_runner_end};
}

} // namespace normforge
