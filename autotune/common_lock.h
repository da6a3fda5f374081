// The lockfiles that come with normforge (autotune/locks/): schedules that were chosen by measuring for common sizes of the catalogue's
// norms, so that a first library is good before anything was tuned. They stand in the program, as the catalogue does. Which one serves does
// not depend on the machine that builds, since that is seldom the one that the library runs on, and so equal problems give equal libraries
// everywhere.
#pragma once

#include <vector>

#include "autotune/device.h"
#include "autotune/lockfile.h"

namespace normforge {

/// One for each device that was tuned on, by the files' names.
const std::vector<Lockfile> &common_lockfiles();

/// What serves a library for `device`: the first that was measured on a device of its class, and of those one of its name; for no device in
/// particular (null) the first of all. Empty where there is none.
const Lockfile &common_lockfile(const Device *device);

} // namespace normforge
