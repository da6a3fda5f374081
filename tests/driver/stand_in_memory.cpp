// Memory of the stand-in driver: the process's own, of which it knows what is a device's.
#include "tests/driver/stand_in_state.h"

#include <cstdlib>
#include <cstring>

using namespace normforge::testing::stand_in;

extern "C" {

CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes) {
  LOCKED;
  REFUSE(unsafe_refusal("cuMemAlloc"));
  constexpr size_t kAlignment = 256;
  void *made = std::aligned_alloc(kAlignment, (bytes + kAlignment) / kAlignment * kAlignment);
  if (!made)
    return kOutOfMemory;
  *pointer = reinterpret_cast<uintptr_t>(made);
  memory[*pointer] = bytes;
  return 0;
}

CUresult cuMemFree_v2(CUdeviceptr pointer) {
  LOCKED;
  if (!memory.erase(pointer))
    return kInvalidValue;
  std::free(reinterpret_cast<void *>(pointer));
  return 0;
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) {
  LOCKED;
  REFUSE(unsafe_refusal("cuMemcpyHtoD"));
  std::memcpy(reinterpret_cast<void *>(to), from, bytes);
  return 0;
}

CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) {
  LOCKED;
  REFUSE(unsafe_refusal("cuMemcpyDtoH"));
  std::memcpy(to, reinterpret_cast<const void *>(from), bytes);
  return 0;
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUhandle) {
  LOCKED;
  REFUSE(refusal("cuMemcpyDtoDAsync"));
  std::memcpy(reinterpret_cast<void *>(to), reinterpret_cast<const void *>(from), bytes);
  return 0;
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUhandle) {
  LOCKED;
  REFUSE(refusal("cuMemsetD8Async"));
  std::memset(reinterpret_cast<void *>(to), value, bytes);
  return 0;
}

CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  LOCKED;
  *free = *total = size_t(1) << 30;
  return refusal("cuMemGetInfo");
}

CUresult cuPointerGetAttribute(void *value, int attribute, CUdeviceptr pointer) {
  LOCKED;
  if (attribute != nf::cuda::kPointerMemoryType || !on_device(reinterpret_cast<const void *>(pointer)))
    return kInvalidValue;
  constexpr int kDeviceMemory = 2;
  std::memcpy(value, &kDeviceMemory, sizeof kDeviceMemory);
  return 0;
}
}
