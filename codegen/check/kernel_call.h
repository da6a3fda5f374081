// A kernel called as the runtime would, on buffers between guard pages, with everything that a check wants to vary: values, alignment,
// padding between rows, memory order, in place, how the items are cut. Tests call kernels so, and the gate that a candidate of a search
// passes.
#pragma once

#include <string>
#include <vector>

#include "codegen/check/guarded.h"
#include "codegen/check/sample_inputs.h"
#include "codegen/kernel.h"
#include "codegen/loader.h"

namespace normforge {

struct CallOptions {
  Guarded::Side side = Guarded::at_end;
  int64_t offset = 0;     ///< elements from the start of the memory to a tensor's first
  int64_t padding = 0;    ///< extra elements between rows, of tensors whose layout is not dense
  int pieces = 1;         ///< each step's items are done in so many calls,
  bool backwards = false; ///< the last items first
};

class KernelCall {
public:
  KernelCall(const Problem &, std::vector<int64_t> extents, const ReferenceInputs &, const CallOptions & = {});

  /// Runs every step.
  void run(const Kernel &, const LoadedKernel &);

  /// Where a tensor lies: all of its memory, and its first element. Null: absent.
  struct Place {
    char *memory = nullptr, *data = nullptr;
    size_t bytes = 0; ///< of the memory; 0: it shares an input's
  };
  Place place(int tensor) const;
  const std::vector<int64_t> &strides(int tensor) const { return buffers_[size_t(tensor)].strides; }
  const std::vector<int64_t> &extents() const { return extents_; }
  const Problem &problem() const { return problem_; }
  std::vector<double> scalars() const;

  /// Element of a tensor, by row-major index over its declared axes.
  double value(const std::string &tensor, size_t index) const;
  size_t size(const std::string &tensor) const;

  /// All elements of all outputs and inouts, bit by bit, NaNs made equal.
  std::string output_bits() const;

private:
  struct Buffer {
    Guarded memory;
    std::vector<int64_t> strides; // by axis of the norm
    size_t bytes = 0;             // of own memory
    char *data = nullptr;         // in it, or in that of the input it shares
  };
  const Problem problem_;
  std::vector<int64_t> extents_;
  CallOptions options_;
  std::vector<Buffer> buffers_; // by tensor
  nf_kernel_args args_{};

  Buffer make_buffer(int tensor) const;
  size_t offset(int tensor, size_t index) const;
};

/// The value of an nf_count at the given extents.
int64_t count_value(const nf_count &, const std::vector<int64_t> &extents);

} // namespace normforge
