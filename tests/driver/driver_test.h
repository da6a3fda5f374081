// What tests of a library's functions for GPUs share: one library, loaded anew by every test, and the stand-in driver that runs what it
// launches.
#pragma once

#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>

#include "tests/driver/device_call.h"
#include "tests/package/loaded_library.h"

namespace normforge::testing {

/// An environment variable of the stand-in, as long as this lives.
class Setting {
public:
  Setting(const char *name, const std::string &value) : name(std::string("NORMFORGE_STAND_IN_") + name) {
    ::setenv(this->name.c_str(), value.c_str(), 1);
  }
  Setting(const Setting &) = delete;
  ~Setting() { ::unsetenv(name.c_str()); }

private:
  std::string name;
};

inline constexpr char kName[] = "norms", kLayerNorm[] = "layer_norm_f32";

inline constexpr char kLibraryProblems[] = "layer_norm cols=96\nrms_norm x=bf16 cols=64\nbatch_norm_train\nsoftmax cols=40\n";

/// One library for all tests; every test loads it anew, with a runtime that knows nothing yet.
inline const std::string &archive() {
  static const std::string bytes = make_library(parse_problems(kLibraryProblems, "problems.txt"),
                                                {.name = kName, .targets = parse_targets("x86-64-v3,sm_80,sm_90"), .same_bits = true})
                                       .files[0]
                                       .bytes;
  return bytes;
}

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

class Driver : public ::testing::Test {
protected:
  Driver() : kernels("KERNELS", directory / "kernels.txt") { take_driver_events(); }
  ~Driver() override { cuCtxSetCurrent(nullptr); }

  void make_current(int device = 0) {
    CUhandle context;
    ASSERT_EQ(cuCtxCreate_v2(&context, 0, device), 0);
  }

  /// Tells the stand-in of the kernel that would serve the call.
  nf_choice announce(const DeviceFunction &function, const DeviceCall &call) {
    nf_choice choice;
    EXPECT_EQ(function.which(call, &choice), NF_OK) << choice.why;
    std::ofstream(directory / "kernels.txt", std::ios::app)
        << "sm_" << choice.level << '\t' << choice.problem << '\t' << choice.schedule << '\n';
    return choice;
  }

  /// A library that finds, or misses, the driver as it is now.
  LoadedLibrary load() { return LoadedLibrary(kName, archive()); }

  TemporaryDirectory directory;
  Setting kernels;
};

} // namespace normforge::testing
