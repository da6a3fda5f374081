// The memory that a kernel may touch, and what is wrong with an access to it: outside all tensors, between the rows of one, misaligned, of
// an input that is written, of shared memory that nobody has written, or unordered with what another thread does there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codegen/cuda/emulated_kernel.h"
#include "codegen/cuda/thread_clocks.h"

namespace normforge::cuda {

class EmulatedMemory {
public:
  /// Of one launch; `shared`: where the blocks of a cluster have their shared memory, `shared_stride` bytes apart.
  EmulatedMemory(const EmulatedKernel &, const nf_kernel_args &, const char *shared, int64_t shared_stride);

  void start_block();
  /// What is wrong with an access of `bytes` at an address; empty: nothing. What it does is remembered.
  std::string access(const ThreadClocks &, uint32_t thread, const char *at, int64_t bytes, int64_t alignment, AccessKind how);

private:
  struct Region {
    std::string name;
    const char *base;
    int64_t bytes; ///< to the end of its last element; kUnknown: until another region begins
    int64_t element_bytes;
    bool written;
    std::vector<std::pair<int64_t, int64_t>> strides; ///< and extents, the largest first; where there are gaps between elements
    std::optional<AccessHistory> history;             ///< of regions that are written
  };
  void add_tensor(const EmulatedKernel &, const EmulatedTensor &, size_t index, const nf_kernel_args &);
  void add(Region region);
  Region *find(const char *at);
  std::string outside(const char *at, int64_t bytes) const;
  std::string conflict(Region &, const ThreadClocks &, uint32_t thread, int64_t offset, int64_t bytes, bool write) const;

  std::string name_of(const Access &) const;

  const int64_t row_threads, block_threads, threads; ///< of a row, a block, all that run together; further ones copy in bulk
  const bool alone;                                  ///< a block is a cluster by itself
  std::vector<Region> regions;
};

} // namespace normforge::cuda
