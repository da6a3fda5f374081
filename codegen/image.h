// A kernel's image: the sections of its object laid one after the other, with every reference between them resolved. All of them are
// relative to the place they stand at, so an image runs wherever it is copied to, by any program: the loader needs no linker, and an image
// that was made on one machine is measured on another (autotune/pack).
#pragma once

#include "codegen/kernel.h"

namespace normforge {

/// Where an image must be copied to: a multiple of so many bytes.
inline constexpr size_t kImageAlignment = 4096;

/// Makes `image` and the steps' entries from `object`. Throws InternalError for an object that is malformed, lacks a step's symbol, refers
/// to anything outside itself, or holds what cannot be moved or what is written to.
void make_image(Kernel &);

} // namespace normforge
