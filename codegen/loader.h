// Runs a compiled kernel inside this process: what the tuner measures, `normforge run` and the tests call.
#pragma once

#include <memory>
#include <vector>

#include "codegen/kernel.h"

namespace normforge {

/// Machine code of a kernel, loaded into this process until the object dies.
class LoadedKernel {
public:
  /// Throws UserError when this machine cannot run the kernel's target, InternalError when the object does not load.
  explicit LoadedKernel(const Kernel &);
  ~LoadedKernel();
  LoadedKernel(LoadedKernel &&) noexcept;
  LoadedKernel &operator=(LoadedKernel &&) noexcept;

  /// By step of the kernel, ready to call.
  const std::vector<nf_step> &steps() const;

private:
  struct Code;
  std::unique_ptr<Code> code;
};

} // namespace normforge
