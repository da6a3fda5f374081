// The kernels that the stand-in driver can run: what the compiler makes of a line of NORMFORGE_STAND_IN_KERNELS, or has left in that
// directory, as an image for a GPU and as code for the emulator.
#pragma once

#include <memory>

#include "codegen/kernel.h"
#include "codegen/loader.h"
#include "codegen/target.h"

namespace normforge::testing {

struct StandInKernel {
  const Target *target;
  Kernel device; ///< how it is launched
  LoadedKernel emulated;
};

/// The kernel whose PTX, or cubin, `image` is; null: it is none of them.
std::shared_ptr<const StandInKernel> kernel_of_image(const char *image);

inline bool is_cubin(const char *image) {
  return std::string_view(image, 4) == "\x7f"
                                       "ELF";
}

} // namespace normforge::testing
