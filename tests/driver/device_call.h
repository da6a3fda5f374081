// A call of a library's function for GPUs: the data of a Call (tests/package/call_data.h), copied to the memory of the current
// context's device and back.
#pragma once

#include <gtest/gtest.h>

#include "runtime/cuda.h"
#include "tests/driver/stand_in.h"
#include "tests/package/call_data.h"

namespace normforge::testing {

class DeviceCall {
public:
  explicit DeviceCall(const Call &host) : call(host), args(host.bytes) {
    for (size_t t = 0; t < call.data.size(); ++t) {
      pointers.push_back(0);
      if (call.data[t].empty())
        continue;
      EXPECT_EQ(cuMemAlloc_v2(&pointers[t], call.data[t].size()), 0);
      EXPECT_EQ(cuMemcpyHtoD_v2(pointers[t], call.data[t].data(), call.data[t].size()), 0);
      set_pointer(t, pointers[t]);
    }
  }
  DeviceCall(const DeviceCall &) = delete;
  ~DeviceCall() {
    for (const CUdeviceptr pointer : pointers)
      cuMemFree_v2(pointer);
    cuMemFree_v2(workspace);
  }

  void set_pointer(size_t tensor, CUdeviceptr pointer) {
    std::memcpy(args.data() + call.table.pointer_offset(int(tensor)), &pointer, sizeof pointer);
  }

  /// All tensors as they are on the device.
  std::vector<std::string> results() const {
    std::vector<std::string> read = call.data;
    for (size_t t = 0; t < read.size(); ++t)
      EXPECT_EQ(read[t].empty() ? 0 : cuMemcpyDtoH_v2(read[t].data(), pointers[t], read[t].size()), 0);
    return read;
  }

  const Call &call;
  std::string args; ///< the args struct
  std::vector<CUdeviceptr> pointers;
  CUdeviceptr workspace = 0;
  nf_cuda_options options{};
};

} // namespace normforge::testing
