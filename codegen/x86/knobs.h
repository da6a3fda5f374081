// The mapping half of an x86 schedule: the table that a person and a search see, and the typed view that emission reads.
#pragma once

#include <span>

#include "codegen/schedule.h"

namespace normforge::x86 {

std::span<const Knob> mapping_knobs();
constexpr size_t kTileKnob = 3; ///< row of `tile`

enum class Keep { reread, scratch, registers };

struct X86Mapping {
  int rows;
  int unroll;
  int vector; ///< bits of registers; 0: they hold one lane each
  int tile;   ///< elements
  Keep keep;
  bool stream;
  int prefetch;  ///< groups of rows ahead; 0: none
  int split;     ///< parts of a row; 1: rows stay whole
  int64_t grain; ///< bytes
};

X86Mapping read_mapping(const Mapping &);
Mapping write_mapping(const X86Mapping &);

} // namespace normforge::x86
