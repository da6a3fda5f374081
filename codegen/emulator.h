// GPU kernels without a GPU: the kernel that a GPU would get, as code for this CPU, with a fiber for each thread of a block. Where a kernel
// asks for its thread, shared memory, a shuffle or a barrier, it calls the emulator, and fibers switch where threads wait; before each load
// and store, too, the emulator looks at what is about to happen.
//
// A kernel that does what a GPU leaves undefined is stopped, with a message that names kernel, block, row and thread: an access outside the
// call's tensors or between the rows of one, a misaligned one, one of shared memory that nobody has written, two of the same memory that
// no barrier orders, a barrier or shuffle that not all come to, shared memory that a copy
// (cp.async) is on its way to. The order in which threads and blocks run is a setting, too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "codegen/kernel.h"
#include "codegen/schedule.h"
#include "codegen/sweep_plan.h"
#include "codegen/target.h"

namespace normforge {

/// The kernel that `gpu` (of the cuda backend) would run, for this process alone. Throws UserError when the schedule does not apply, or the
/// CPU is below x86-64-v3.
Kernel compile_for_emulator(const SweepPlan &, const Schedule &, const Target &gpu, const std::string &symbol);

/// Which thread runs next, and which block: 0: the lowest that can; 1: the highest; otherwise any, from this seed. For this CPU thread.
void set_emulated_order(uint64_t order);

/// How many a persistent grid finds, 2 at first. For this CPU thread.
void set_emulated_multiprocessors(int count);

/// What stopped a kernel since this was last asked; empty: nothing did. Of kernels called on this CPU thread.
std::string take_emulator_fault();

/// A place in a kernel's code where threads meet, or one copies to shared memory, or waits for that, or does what such waits go by.
struct MeetingPoint {
  std::string kernel; ///< symbol of the step
  int number;         ///< in the order of the code
  std::string kind;   ///< "shuffle", "warp barrier", "barrier", "copy", "wait for copies" …
  bool reached;
  bool moved; ///< a shuffle: has given some thread another word than its own
  bool poisons =
      false; ///< to be set where a fill with zeros is left out: NaNs take their place, else what lies behind the bytes that exist
};

/// Those of all kernels called on this CPU thread since this was last asked.
std::vector<MeetingPoint> take_meeting_points();

/// From now on, kernels called on this CPU thread run as if their code lacked that point: threads pass it, and a shuffle gives each its own
/// word. So a test knows whether it would notice. nullopt: nothing is left out.
void leave_out(const std::optional<MeetingPoint> &);

} // namespace normforge
