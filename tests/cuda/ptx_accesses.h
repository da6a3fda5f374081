// What a kernel's PTX moves to and from each tensor, and how much of it at once. Each address is followed back to the parameter that it
// comes from, whatever way the code takes: registers of PTX hold one thing each.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "codegen/kernel.h"

namespace normforge::testing {

/// By bytes of an instruction: what all of that kind in the code move, each counted once.
using BytesByWidth = std::map<int, int64_t>;

struct PtxAccesses {
  std::map<size_t, BytesByWidth> loads, stores; ///< by tensor; copies to shared memory are loads, those in bulk of 16 bytes at least
  BytesByWidth shared_loads, shared_stores;
};

PtxAccesses accesses_of(const Kernel &, const Step &);

} // namespace normforge::testing
