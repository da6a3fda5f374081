// Runs a compiled kernel inside this process: what the tuner measures, `normforge run` and the tests call.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "codegen/kernel.h"

namespace normforge {

/// Machine code of a kernel, loaded into this process until the object dies.
class LoadedKernel {
public:
  /// Loads the kernel's image. Throws UserError when this machine cannot run the kernel's target or has no memory for it.
  explicit LoadedKernel(const Kernel &);

  /// By step of the kernel, ready to call.
  const std::vector<nf_step> &steps() const { return run; }

private:
  struct Unmap {
    size_t bytes = 0;
    void operator()(char *) const;
  };
  std::unique_ptr<char, Unmap> code{nullptr, Unmap{}};
  std::vector<nf_step> run;
};

} // namespace normforge
