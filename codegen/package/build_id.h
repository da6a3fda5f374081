// Which build of normforge and of the compiler libraries below it this process runs: what a cache of their output must not outlive.
#pragma once

#include <string>

namespace normforge {

/// Names and GNU build ids (the linker's hash of the contents) of the program and the shared objects that it runs with.
const std::string &build_id();

} // namespace normforge
