// The runner: what a pack has as `run`, a program that stands beside the problems that it measures and needs no compiler and no normforge.
// There are two, with a main function each. The one for CPUs is linked statically and needs nothing else of the machine. The one for GPUs
// loads the driver, which a program can do only with the C library that the driver is linked with, the machine's own.
//
// Killed at any moment it goes on where it was: what is done is what its database says. Two runners with one database do not measure the
// same problem: the second waits for the first, as may happen where a scheduler gives up on a worker that is still at work.
#pragma once

#include <string>

#include "autotune/machine.h"

namespace normforge {

/// The whole program, but for what it measures on; returns its exit status. `device`: that in words, for its help.
int run_pack(int argc, char **argv, const Machine &, const std::string &device);

} // namespace normforge
