// Devices and contexts of the stand-in driver.
#include "tests/driver/stand_in_state.h"

#include <cstdio>

using namespace normforge::testing::stand_in;

namespace {

constexpr int kClockKilohertz = 13, kL2Bytes = 38; // device attributes

std::map<int, Context *> primary;
unsigned long long last_id = 0;

Context *add_context(int device) {
  Context *context = *contexts.insert(new Context{device, ++last_id}).first;
  return context;
}

} // namespace

extern "C" {

CUresult cuInit(unsigned) {
  REFUSE(failure("cuInit"));
  return devices().empty() ? kNoDevice : 0;
}

CUresult cuDriverGetVersion(int *version) {
  *version = std::stoi(setting("VERSION", "13000"));
  return failure("cuDriverGetVersion");
}

CUresult cuDeviceGetCount(int *count) {
  *count = int(devices().size());
  return failure("cuDeviceGetCount");
}

CUresult cuDeviceGet(int *device, int ordinal) {
  *device = ordinal;
  return ordinal < 0 || size_t(ordinal) >= devices().size() ? 101 : 0;
}

CUresult cuDeviceGetName(char *name, int length, int device) {
  std::snprintf(name, size_t(length), "emulated sm_%d", devices().at(size_t(device)));
  return failure("cuDeviceGetName");
}

CUresult cuGetErrorString(CUresult result, const char **text) {
  static const std::map<CUresult, const char *> texts{{kInvalidPtx, "a PTX JIT compilation failed"},
                                                      {kUnknown, "unknown error"},
                                                      {kNoDevice, "no CUDA-capable device is detected"},
                                                      {kIllegalAddress, "an illegal memory access was encountered"}};
  const auto found = texts.find(result);
  *text = found == texts.end() ? "of the stand-in" : found->second;
  return 0;
}

CUresult cuDeviceGetAttribute(int *value, int attribute, int device) {
  REFUSE(failure("cuDeviceGetAttribute"));
  const int level = devices().at(size_t(device));
  switch (attribute) {
  case nf::cuda::kCapabilityMajor: *value = level / 10; return 0;
  case nf::cuda::kCapabilityMinor: *value = level % 10; return 0;
  case nf::cuda::kSharedBytes: *value = std::stoi(setting("SHARED", "232448")); return 0;
  case nf::cuda::kMultiprocessors: *value = kMultiprocessors; return 0;
  case nf::cuda::kPageableMemory: *value = 0; return 0;
  case kClockKilohertz: *value = 1'500'000; return 0;
  case kL2Bytes: *value = 64 << 10; return 0;
  }
  return kInvalidValue;
}

CUresult cuDevicePrimaryCtxRetain(CUhandle *context, int device) {
  LOCKED;
  Context *&found = primary[device];
  if (!found)
    found = add_context(device);
  *context = found;
  return 0;
}

CUresult cuCtxCreate_v2(CUhandle *context, unsigned, int device) {
  LOCKED;
  *context = current = add_context(device);
  return 0;
}

CUresult cuCtxDestroy_v2(CUhandle context) {
  LOCKED;
  contexts.erase(static_cast<Context *>(context));
  if (current == context)
    current = nullptr;
  return 0;
}

CUresult cuCtxSetCurrent(CUhandle context) {
  current = static_cast<Context *>(context);
  return 0;
}

CUresult cuCtxGetCurrent(CUhandle *context) {
  *context = current;
  return failure("cuCtxGetCurrent");
}

CUresult cuCtxGetDevice(int *device) {
  LOCKED;
  REFUSE(refusal("cuCtxGetDevice"));
  *device = current->device;
  return 0;
}

CUresult cuCtxGetId(CUhandle context, unsigned long long *id) {
  LOCKED;
  REFUSE(refusal("cuCtxGetId"));
  *id = static_cast<Context *>(context)->id;
  return 0;
}

CUresult cuCtxSynchronize() {
  LOCKED;
  return unsafe_refusal("cuCtxSynchronize");
}
}
