#include "codegen/cuda/emulated_memory.h"

#include <algorithm>
#include <cstdlib>

#include "llvm/Support/FormatVariadic.h"

namespace normforge::cuda {
namespace {

constexpr int64_t kUnknown = -1;
constexpr int64_t kNear = 1 << 20; ///< bytes: an address this far from a tensor is told as one outside it
constexpr int64_t kWord = 4;       ///< bytes: what is in a workspace is made of these
constexpr char kShared[] = "shared memory";

int64_t product(uint64_t axes, const std::vector<int64_t> &extents) {
  int64_t n = 1;
  for (size_t axis = 0; axis < extents.size(); ++axis)
    if (axes >> axis & 1)
      n = n == kUnknown || extents[axis] == kUnknown ? kUnknown : n * extents[axis];
  return n;
}

/// What the problem fixes, else what the call says.
std::vector<int64_t> extents_of(const EmulatedKernel &kernel, const nf_kernel_args &args) {
  std::vector<int64_t> extents;
  for (int axis = 0; axis < NF_MAX_AXES; ++axis)
    extents.push_back(kernel.extents[axis] ? kernel.extents[axis] : args.extents[axis] > 0 ? args.extents[axis] : kUnknown);
  return extents;
}

int64_t workspace_bytes(const nf_buffer &buffer, const std::vector<int64_t> &extents) {
  const int64_t outer = product(buffer.count.outer, extents), tiled = product(buffer.count.tiled, extents);
  if (outer == kUnknown || tiled == kUnknown)
    return kUnknown;
  return outer * ((tiled + buffer.count.tile - 1) / buffer.count.tile) * buffer.count.times * buffer.bytes;
}

/// Whether no two indices have the same place, so that the indices of a place can be told one by one.
bool nested(const std::vector<std::pair<int64_t, int64_t>> &strides) {
  int64_t reach = 0;
  for (size_t i = strides.size(); i-- > 0; reach += strides[i].first * (strides[i].second - 1))
    if (strides[i].first <= reach)
      return false;
  return true;
}

bool is_element(int64_t place, const std::vector<std::pair<int64_t, int64_t>> &strides) {
  for (const auto &[stride, extent] : strides)
    place -= std::min(place / stride, extent - 1) * stride;
  return place == 0;
}

} // namespace

EmulatedMemory::EmulatedMemory(const EmulatedKernel &kernel, const nf_kernel_args &args, const char *shared, int64_t shared_stride)
    : row_threads(kernel.threads), block_threads(kernel.threads * kernel.rows), threads(block_threads * kernel.cluster),
      alone(kernel.cluster == 1) {
  for (int32_t t = 0; t < kernel.tensors; ++t)
    if (kernel.tensor[t].element_bytes && args.tensors[t])
      add_tensor(kernel, kernel.tensor[t], size_t(t), args);
  for (int32_t i = 0; i < kernel.buffers; ++i)
    if (args.buffers[i])
      add({.name = "workspace " + std::to_string(i),
           .base = static_cast<const char *>(args.buffers[i]),
           .bytes = workspace_bytes(kernel.buffer[i], extents_of(kernel, args)),
           .element_bytes = kWord,
           .written = true});
  for (int64_t rank = 0; rank < kernel.cluster; ++rank)
    add({.name = kShared, .base = shared + rank * shared_stride, .bytes = kernel.shared_bytes, .element_bytes = 1, .written = true});
}

void EmulatedMemory::add_tensor(const EmulatedKernel &kernel, const EmulatedTensor &tensor, size_t index, const nf_kernel_args &args) {
  Region region{.name = tensor.name,
                .base = static_cast<const char *>(args.tensors[index]),
                .bytes = tensor.element_bytes,
                .element_bytes = tensor.element_bytes,
                .written = tensor.written};
  const std::vector<int64_t> extents = extents_of(kernel, args);
  int64_t dense = 1;
  for (int32_t i = tensor.rank; i-- > 0 && region.bytes != kUnknown;) {
    const auto axis = size_t(tensor.axes[i]);
    const int64_t extent = extents[axis];
    const int64_t stride = tensor.dense ? dense : tensor.unit && i == tensor.rank - 1 ? 1 : args.strides[index][axis];
    region.bytes = extent == kUnknown ? kUnknown : region.bytes + (extent - 1) * stride * tensor.element_bytes;
    dense *= extent;
    if (!tensor.dense && extent > 1)
      region.strides.emplace_back(stride, extent);
  }
  std::ranges::sort(region.strides, std::greater());
  if (!nested(region.strides))
    region.strides.clear();
  add(std::move(region));
}

/// An output that is the memory of an input is one region with it.
void EmulatedMemory::add(Region region) {
  if (region.bytes == 0)
    return;
  const auto same = std::ranges::find(regions, region.base, &Region::base);
  if (same != regions.end()) {
    same->name += " and " + region.name;
    region.written |= same->written;
  }
  Region &kept = same == regions.end() ? regions.emplace_back(std::move(region)) : *same;
  kept.written = region.written;
  if (kept.written && kept.bytes != kUnknown)
    kept.history.emplace(size_t(kept.bytes / kept.element_bytes));
}

void EmulatedMemory::start_block() {
  for (Region &region : regions)
    if (region.history)
      region.name == kShared ? region.history->forget() : region.history->forget_readers();
}

/// The region that an address lies in or, of one of unknown size, behind.
EmulatedMemory::Region *EmulatedMemory::find(const char *at) {
  Region *open = nullptr;
  for (Region &region : regions)
    if (at >= region.base && region.bytes != kUnknown && at < region.base + region.bytes)
      return &region;
    else if (at >= region.base && region.bytes == kUnknown && (!open || open->base < region.base))
      open = &region;
  return open;
}

std::string EmulatedMemory::outside(const char *at, int64_t bytes) const {
  const Region *nearest = nullptr;
  int64_t least = kNear;
  const auto distance = [&](const Region &region) { return at < region.base ? region.base - at : at + bytes - region.base - region.bytes; };
  for (const Region &region : regions)
    if (region.bytes != kUnknown && distance(region) < least)
      nearest = &region, least = distance(region);
  if (!nearest)
    return llvm::formatv("at address {0:x}, where the call has no memory", uintptr_t(at));
  return llvm::formatv("that reach {0} {1} of {2}, which has {3}", least, at < nearest->base ? "before the start" : "past the end",
                       nearest->name, nearest->bytes);
}

std::string EmulatedMemory::name_of(const Access &access) const {
  if (access.thread >= threads)
    return "a bulk copy";
  const int64_t local = access.thread % block_threads;
  return llvm::formatv("{0}row {1} thread {2}", alone ? "" : "block " + std::to_string(access.block + access.thread / block_threads) + " ",
                       local / row_threads, local % row_threads);
}

std::string EmulatedMemory::conflict(Region &region, const ThreadClocks &clocks, uint32_t thread, int64_t offset, int64_t bytes,
                                     bool write) const {
  const int64_t first = offset / region.element_bytes, last = (offset + bytes - 1) / region.element_bytes;
  for (int64_t cell = first; cell <= last; ++cell) {
    if (!write && region.name == kShared && !region.history->written_in(size_t(cell), clocks.now(thread).block))
      return ", which no thread has written";
    if (const auto found = region.history->record(size_t(cell), clocks, thread, write)) {
      const char *did = found->written ? "written" : "read";
      if (found->with.block != clocks.now(thread).block)
        return llvm::formatv(", which block {0} has {1} as well", found->with.block, did);
      return ", which " + name_of(found->with) + " has " + did + " since the two last met";
    }
  }
  return {};
}

std::string EmulatedMemory::access(const ThreadClocks &clocks, uint32_t thread, const char *at, int64_t bytes, int64_t alignment,
                                   AccessKind how) {
  const bool write = how == AccessKind::write;
  const auto what = [&] { return llvm::formatv("{0} {1} bytes ", write ? "writes" : "reads", bytes).str(); };
  Region *region = find(at);
  if (!region || (region->bytes != kUnknown && at + bytes > region->base + region->bytes))
    return what() + outside(at, bytes);
  const int64_t offset = at - region->base;
  const auto where = [&] { return what() + "at " + std::to_string(offset) + " of " + region->name; };
  if (uintptr_t(at) % uintptr_t(alignment))
    return where() + ", an address that is no multiple of " + std::to_string(alignment);
  if (write && !region->written)
    return where() + ", which is an input";
  if (!region->strides.empty())
    for (int64_t byte = offset; byte < offset + bytes; byte += region->element_bytes)
      if (!is_element(byte / region->element_bytes, region->strides))
        return where() + ", between its elements";
  if (region->history && how != AccessKind::read_and_drop)
    if (const std::string with = conflict(*region, clocks, thread, offset, bytes, write); !with.empty())
      return where() + with;
  return {};
}

} // namespace normforge::cuda
