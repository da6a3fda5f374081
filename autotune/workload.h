// Buffers of timed calls. A set is one call's tensors, all of them in one block, each starting at a cache line of its own offset within a
// page, so that none competes with another for the same sets of the first cache by accident. Warm calls use one set again and again. Cold
// ones use many in turn, so that each lies outside the caches when its turn comes; where a machine shares a very large cache between many
// cores, the rotation stays below its size (kMostRotation), which then means: outside the caches of one core.
//
// What a call overwrites of its own input (inout tensors, outputs in place of an input) is put back before the call.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dsl/problem.h"

namespace normforge {

inline constexpr int64_t kMostRotation = 256 << 20; ///< bytes

class Workload {
public:
  /// A tensor's place in a set.
  struct Part {
    int64_t offset = 0, bytes = 0, index = 0;
    DType dtype = DType::f32;
  };

  /// At least `least_sets` sets and `least_bytes` of them for a problem of fixed extents, filled from `seed`. Tensors lie otherwise to each
  /// other in each set. Throws UserError when there is no memory.
  Workload(const Problem &shape, uint64_t seed, int least_sets, int64_t least_bytes = 0);

  int sets() const { return count; }
  /// By tensor of the norm; null: absent.
  const std::vector<void *> &tensors(int set) const { return pointers[size_t(set)]; }

  bool restores() const { return !rewritten.empty(); }
  /// Puts back what calls overwrite.
  void restore(int set) const;
  /// Fills pure outputs, so that what a call does not write shows.
  void poison(int set) const;

  /// Bytes of all that a call on `set` writes.
  std::vector<char> results(int set) const;
  /// Whether two of those are the same values, bit by bit; NaNs count as equal.
  bool same(const std::vector<char> &, const std::vector<char> &) const;

  /// For who keeps a copy of it elsewhere: all sets as one block, the first one's bytes at its start, and where the parts lie in it that
  /// calls write: inputs that they overwrite, and memory that they only write.
  const char *data() const { return memory.get(); }
  size_t bytes() const { return size_t(count) * set_bytes(); }
  size_t set_bytes() const { return size_t(one_set); }
  const std::vector<Part> &overwritten() const { return rewritten; }
  const std::vector<Part> &outputs() const { return written; }
  size_t offset(const Part &part, int set) const { return size_t(at(part, set) - memory.get()); }

private:
  struct Unmap {
    size_t bytes = 0;
    void operator()(char *) const;
  };
  int count = 1;
  int64_t one_set = 0; ///< bytes
  std::unique_ptr<char, Unmap> memory{nullptr, Unmap{}};
  std::vector<std::vector<void *>> pointers;
  std::vector<Part> rewritten, written;
  std::vector<char> pristine; ///< bytes of `rewritten`, one after the other

  char *at(const Part &, int set) const;
  void fill(const Problem &shape, uint64_t seed, const std::vector<Part> &parts);
};

/// Bytes of rotation that make calls cold on a machine with these data caches.
int64_t rotation_bytes(const std::vector<int64_t> &caches);

} // namespace normforge
