// A status, and words of which(), for everything that can be missing or wrong when a library's function for GPUs is called.
#include "tests/driver/driver_test.h"

namespace normforge::testing {
namespace {

/// What a call, and which(), say of the driver as it is.
class Refused : public Driver {
protected:
  void expect(nf_status status, const std::string &words) {
    const LoadedLibrary library = load();
    const DeviceFunction function(library, kLayerNorm);
    const Call host(parse_problem("layer_norm cols=96"), {1, 96});
    expect(function, DeviceCall(host), status, words);
  }
  void expect(const DeviceFunction &function, const DeviceCall &call, nf_status status, const std::string &words) {
    EXPECT_EQ(function(call), status);
    nf_choice choice;
    EXPECT_EQ(function.which(call, &choice), status);
    EXPECT_NE(std::string(choice.why).find(words), std::string::npos) << choice.why;
    EXPECT_EQ(choice.problem, nullptr);
  }
};

TEST_F(Refused, DriversThatCannotServe) {
  make_current();
  {
    const Setting version("VERSION", "11080");
    expect(NF_OLD_DRIVER, "older than CUDA 12");
  }
  for (const auto &[result, status] : {std::pair("100", NF_NO_DEVICE), std::pair("34", NF_NO_DRIVER), std::pair("803", NF_OLD_DRIVER),
                                       std::pair("999", NF_DRIVER_ERROR)}) {
    const Setting fail("FAIL", std::string("cuInit=") + result);
    expect(status, "");
  }
  const Setting none("FAIL", "cuDeviceGetCount=100");
  expect(NF_NO_DEVICE, "finds no GPU");
}

TEST_F(Refused, NoContext) {
  make_current();
  const LoadedLibrary library = load();
  const Call host(parse_problem("layer_norm cols=96"), {1, 96});
  const DeviceCall call(host);
  cuCtxSetCurrent(nullptr);
  expect(DeviceFunction(library, kLayerNorm), call, NF_NO_CONTEXT, "no CUDA context is current");
}

TEST_F(Refused, ADeviceOlderThanAllCode) {
  const Setting devices("DEVICES", "75");
  make_current();
  expect(NF_OLD_DEVICE, "compute capability 7.5, the device's; the nearest wants 8.0");
}

TEST_F(Refused, LessSharedMemoryThanEveryKernelWants) {
  const Problem problem = parse_problem("rms_norm cols=8192");
  const Library made = make_library({problem}, {.name = kName, .targets = parse_targets("sm_90")});
  const LoadedLibrary library(kName, made.files[0].bytes);
  EXPECT_EQ(made.functions, std::vector<std::string>{"rms_norm_f32_cuda"});
  make_current();
  const Call host(problem, {1, 8192});
  const DeviceFunction function(library, "rms_norm_f32");
  const DeviceCall call(host);
  announce(function, call);
  EXPECT_EQ(function(call), NF_OK);
  const Setting shared("SHARED", "16");
  make_current();
  const DeviceCall again(host);
  expect(function, again, NF_SHARED_MEMORY, "for blocks with 16 bytes of shared memory, the device's; the nearest wants ");
}

TEST_F(Refused, AStreamOfAnotherContext) {
  make_current();
  CUhandle stream;
  ASSERT_EQ(cuStreamCreate(&stream, 0), 0);
  make_current();
  const LoadedLibrary library = load();
  const Call host(parse_problem("layer_norm cols=96"), {1, 96});
  DeviceCall call(host);
  call.options.stream = stream;
  expect(DeviceFunction(library, kLayerNorm), call, NF_OTHER_CONTEXT, "another context");
  cuStreamDestroy_v2(stream);
  expect(DeviceFunction(library, kLayerNorm), call, NF_OTHER_CONTEXT, "another context");
}

TEST_F(Refused, WhatTheCpuRefusesToo) {
  make_current();
  const LoadedLibrary library = load();
  const DeviceFunction function(library, kLayerNorm);
  const Call host(parse_problem("layer_norm cols=96"), {1, 96});
  DeviceCall call(host);
  call.set_pointer(0, 0);
  expect(function, call, NF_NULL_TENSOR, "null: x");
  call.set_pointer(0, call.pointers[0] + 1);
  expect(function, call, NF_MISALIGNED, "x");
  call.set_pointer(0, call.pointers[0]);
  call.options.workspace_bytes = -1;
  expect(function, call, NF_BAD_OPTIONS, "negative");
}

TEST_F(Refused, AFunctionForTheOtherKindOfMachine) {
  make_current();
  const LoadedLibrary library = load();
  const nf_library *described = library.symbol<decltype(nf_describe)>("describe")();
  ASSERT_EQ(described->functions, described->cuda_functions);
  const Call host(parse_problem("layer_norm cols=96"), {1, 96});
  nf_choice choice;
  EXPECT_EQ(library.symbol<decltype(nf_cuda_call)>("cuda_call")(described->function[0], host.bytes.data(), nullptr), NF_NO_KERNEL);
  EXPECT_EQ(library.symbol<decltype(nf_cuda_which)>("cuda_which")(described->function[0], host.bytes.data(), nullptr, &choice),
            NF_NO_KERNEL);
  EXPECT_STREQ(choice.why, "no kernel for a GPU");
  EXPECT_EQ(library.symbol<decltype(nf_call)>("call")(described->cuda_function[0], host.bytes.data(), nullptr), NF_NO_KERNEL);
  EXPECT_EQ(library.symbol<decltype(nf_which)>("which")(described->cuda_function[0], host.bytes.data(), nullptr, &choice), NF_NO_KERNEL);
  EXPECT_STREQ(choice.why, "no kernel for a CPU");
}

TEST_F(Refused, HostPointersAreNamedAndNeverACrash) {
  make_current();
  const LoadedLibrary library = load();
  const DeviceFunction function(library, kLayerNorm);
  const Call host(parse_problem("layer_norm cols=96"), {1, 96});
  DeviceCall call(host);
  announce(function, call);
  call.set_pointer(1, reinterpret_cast<uintptr_t>(host.data[1].data()));
  nf_choice choice;
  EXPECT_EQ(function.which(call, &choice), NF_HOST_POINTER);
  EXPECT_STREQ(choice.why, "memory of the call cannot be reached by the GPU: gamma");
  EXPECT_EQ(function(call), NF_OK); // the stream's error
  EXPECT_EQ(take_driver_events().back(), "fault: a pointer to the host");
  EXPECT_EQ(function(call), NF_DRIVER_ERROR);
  EXPECT_EQ(library.symbol<decltype(nf_cuda_error)>("cuda_error")(), 700);
}

TEST_F(Refused, CodeThatTheDriverDoesNotTake) {
  make_current();
  const LoadedLibrary library = load();
  const DeviceFunction function(library, kLayerNorm);
  const Call host(parse_problem("layer_norm cols=96"), {1, 96});
  const DeviceCall call(host);
  {
    const Setting fail("FAIL", "cuModuleLoadData=222");
    EXPECT_EQ(function(call), NF_OLD_DRIVER);
  }
  {
    const Setting fail("FAIL", "cuModuleGetFunction=500");
    announce(function, call);
    EXPECT_EQ(function(call), NF_DRIVER_ERROR);
    EXPECT_EQ(take_driver_events().back(), "unload");
  }
  const Setting fail("FAIL", "cuLaunchKernel=719");
  EXPECT_EQ(function(call), NF_DRIVER_ERROR);
}

} // namespace
} // namespace normforge::testing
