#include "simd_avx512.h"

#include "kernels.h"

namespace hand {
namespace {

constexpr Kernel kKernels[] = HAND_KERNELS(4);
constexpr Copy kCopies[] = {{4, false, copy<false>}, {4, true, copy<true>}};

} // namespace

std::span<const Kernel> avx512_kernels() { return kKernels; }
std::span<const Copy> avx512_copies() { return kCopies; }

} // namespace hand
