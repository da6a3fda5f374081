#include "simd_avx2.h"

#include "kernels.h"

namespace hand {
namespace {

constexpr Kernel kKernels[] = HAND_KERNELS(3);
constexpr Copy kCopies[] = {{3, false, copy<false>}, {3, true, copy<true>}};

} // namespace

std::span<const Kernel> avx2_kernels() { return kKernels; }
std::span<const Copy> avx2_copies() { return kCopies; }

} // namespace hand
