// A call of a library's function for GPUs: the data of a Call (tests/package/loaded_library.h), copied to the memory of the current
// context's device and back.
#pragma once

#include "runtime/cuda.h"
#include "tests/driver/stand_in.h"
#include "tests/package/loaded_library.h"

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

/// The function `name` of a library for GPUs.
class DeviceFunction {
public:
  DeviceFunction(const LoadedLibrary &library, const std::string &name)
      : run(library.symbol<nf_status(const void *, const nf_cuda_options *)>(name + "_cuda")),
        explain(library.symbol<nf_status(const void *, const nf_cuda_options *, nf_choice *)>(name + "_cuda_which")),
        workspace_bytes(library.symbol<nf_status(const void *, int64_t *)>(name + "_cuda_workspace_bytes")) {}

  nf_status operator()(const DeviceCall &call) const { return run(call.args.data(), &call.options); }

  nf_status which(const DeviceCall &call, nf_choice *choice) const { return explain(call.args.data(), &call.options, choice); }

  /// Gives the call what workspace it wants.
  nf_status add_workspace(DeviceCall &call) const {
    const nf_status status = workspace_bytes(call.args.data(), &call.options.workspace_bytes);
    EXPECT_EQ(cuMemAlloc_v2(&call.workspace, size_t(call.options.workspace_bytes)), 0);
    call.options.workspace = reinterpret_cast<void *>(call.workspace);
    return status;
  }

private:
  nf_status (*run)(const void *, const nf_cuda_options *);
  nf_status (*explain)(const void *, const nf_cuda_options *, nf_choice *);
  nf_status (*workspace_bytes)(const void *, int64_t *);
};

} // namespace normforge::testing
