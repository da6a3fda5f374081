// What the emulator knows of a kernel besides its code: how it is launched, which memory it may touch, and where its threads meet. It is
// constant data beside the code, so that it lives as long as that does.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/abi.h"

namespace normforge::cuda {

constexpr size_t kNameBytes = 64;

/// A tensor as the problem has it.
struct EmulatedTensor {
  char name[kNameBytes];
  int64_t element_bytes; ///< 0: the call has no such tensor
  bool written;          ///< the kernel may
  bool dense, unit;      ///< packed; neighbours along the last axis are neighbours in memory
  int32_t rank;
  int32_t axes[NF_MAX_AXES]; ///< in memory order, outermost first
};

/// Where threads wait for each other, or one for its copies; what those waits go by; and the copies.
enum class Meeting : uint8_t {
  shuffle,
  warp,
  barrier,
  copy,
  zero_fill,
  copy_group,
  copy_wait,
  cluster_arrival,
  cluster_wait,
  bulk_copy,
  mbarrier,
  bytes,
  arrival,
  byte_wait,
  fence
};
inline constexpr const char *kMeetingNames[] = {
    "shuffle",      "warp barrier", "barrier",  "copy",           "zero fill", "group of copies", "wait for copies", "cluster arrival",
    "cluster wait", "bulk copy",    "mbarrier", "expected bytes", "arrival",   "wait for bytes",  "proxy fence"}; ///< by Meeting

/// `read_and_drop`: what is read must exist, but is not used, so that another thread may write it meanwhile.
enum class AccessKind : uint32_t { read, write, read_and_drop };

struct EmulatedKernel {
  char name[kNameBytes];
  int64_t threads, rows, cluster, resident, shared_bytes; ///< codegen/kernel.h: Launch
  int64_t extents[NF_MAX_AXES];                           ///< those that the problem fixes; 0: the call says
  int32_t tensors, buffers, meetings;
  EmulatedTensor tensor[NF_MAX_TENSORS];
  nf_buffer buffer[NF_MAX_BUFFERS]; ///< workspace

  /// By number of the meeting, in the order of the code: they follow the struct.
  const Meeting *kinds() const { return reinterpret_cast<const Meeting *>(this + 1); }
};

} // namespace normforge::cuda
