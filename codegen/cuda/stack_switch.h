// From one stack to another, for the emulator's threads, which wait for each other at every shuffle. swapcontext would ask the kernel for
// the signal mask each time, and that took two thirds of what long tests run for.
#pragma once

#include <cstddef>

namespace normforge::cuda {

/// Where a stack that does not run goes on: its top, where what a function must keep has been pushed.
using StackTop = void *;

/// A stack in `bytes` bytes from `memory` on, whose first switch calls `entry`. That never returns.
StackTop new_stack(char *memory, size_t bytes, void (*entry)());

/// Leaves the running stack at `from`, and goes on at `to`; returns when some switch comes back to `from`.
extern "C" void normforge_switch_stack(StackTop *from, StackTop to);

} // namespace normforge::cuda
