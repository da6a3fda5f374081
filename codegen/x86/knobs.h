// The mapping half of an x86 schedule: the table that a person and a search see, and the typed view that emission reads.
#pragma once

#include <span>

#include "codegen/nest/mapping.h"
#include "codegen/schedule.h"

namespace normforge::x86 {

std::span<const Knob> mapping_knobs();
constexpr size_t kTileKnob = 3; ///< row of `tile`

struct X86Mapping {
  nest::NestMapping nest;
  int64_t grain; ///< bytes that are worth a thread
};

X86Mapping read_mapping(const Mapping &);
Mapping write_mapping(const X86Mapping &);

} // namespace normforge::x86
