#include "codegen/check/gpu_kernel_call.h"

#include <algorithm>
#include <map>

#include "codegen/gpu_call.h"

namespace normforge {
namespace {

constexpr size_t kMargin = 4096;      ///< bytes, before and behind
constexpr size_t kWidestAccess = 16;  ///< bytes: a tensor lies in the GPU's memory as it does here, up to a multiple of it
constexpr unsigned char kFill = 0x5a; ///< of margins

/// A tensor's memory on the GPU.
struct Copy {
  GpuMemory memory;
  size_t before; ///< bytes of the margin

  explicit Copy(const KernelCall::Place &place)
      : memory(place.bytes + 2 * kMargin + kWidestAccess), before(kMargin + reinterpret_cast<uintptr_t>(place.memory) % kWidestAccess) {
    fill_on_gpu(memory.address(), kFill, place.bytes + 2 * kMargin + kWidestAccess);
    copy_to_gpu(address(), place.memory, place.bytes);
  }
  uint64_t address() const { return memory.address() + before; }

  /// Back to where it was copied from; whether the margins are as they were.
  bool copy_back(const KernelCall::Place &place) const {
    std::string all(before + place.bytes + kMargin, '\0');
    copy_from_gpu(all.data(), memory.address(), all.size());
    std::copy_n(all.data() + before, place.bytes, place.memory);
    const auto untouched = [&](size_t begin, size_t count) { return all.substr(begin, count).find_first_not_of(char(kFill)) == all.npos; };
    return untouched(0, before) && untouched(before + place.bytes, kMargin);
  }
};

} // namespace

std::string run_on_gpu(KernelCall &call, const Kernel &kernel, int device) {
  const Program &program = call.problem().norm->program;
  GpuCall on_gpu(call.problem(), find_target(kernel.target), kernel, device);
  std::map<size_t, Copy> copies; // by tensor
  std::vector<uint64_t> addresses(program.tensors.size());
  std::vector<std::vector<int64_t>> strides;
  for (size_t t = 0; t < program.tensors.size(); ++t) {
    strides.push_back(call.strides(int(t)));
    if (const KernelCall::Place place = call.place(int(t)); place.data && place.bytes)
      addresses[t] = copies.emplace(t, place).first->second.address() + uint64_t(place.data - place.memory);
  }
  for (const auto &[output, input] : call.problem().in_place)
    addresses[size_t(output)] = addresses[size_t(input)];
  on_gpu.place(call.extents(), addresses, strides, call.scalars());
  on_gpu.enqueue();
  wait_for_gpu();
  for (const auto &[tensor, copy] : copies)
    if (!copy.copy_back(call.place(int(tensor))))
      return "it writes beside " + program.tensors[tensor].name;
  return "";
}

} // namespace normforge
