// Functions for GPUs of a library, run by the stand-in driver: the bits of the same library's functions for the CPU, which code is loaded
// where, and a status for everything that can be missing or wrong.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <thread>

#include "tests/driver/device_call.h"

namespace normforge {
namespace {

using testing::Call;
using testing::DeviceCall;
using testing::DeviceFunction;
using testing::LoadedLibrary;
using testing::take_driver_events;

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

constexpr char kName[] = "norms", kLayerNorm[] = "layer_norm_f32";
const char *const kProblems = "layer_norm cols=96\nrms_norm x=bf16 cols=64\nbatch_norm_train\nsoftmax cols=40\n";

/// One library for all tests; every test loads it anew, with a runtime that knows nothing yet.
const std::string &archive() {
  static const std::string bytes = make_library(parse_problems(kProblems, "problems.txt"),
                                                {.name = kName, .targets = parse_targets("x86-64-v3,sm_80,sm_90"), .same_bits = true})
                                       .files[0]
                                       .bytes;
  return bytes;
}

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

  testing::TemporaryDirectory directory;
  Setting kernels;
};

struct Case {
  const char *problem;
  std::vector<int64_t> extents;
};
void PrintTo(const Case &tried, std::ostream *out) { *out << tried.problem; }

class SameBits : public Driver, public ::testing::WithParamInterface<Case> {};

TEST_P(SameBits, AsTheFunctionForTheCpu) {
  make_current();
  const LoadedLibrary library = load();
  Call host(parse_problem(GetParam().problem), GetParam().extents);
  const std::string name = host.table.function().name;
  const DeviceFunction function(library, name);
  DeviceCall device(host);
  ASSERT_EQ(function.add_workspace(device), NF_OK);
  announce(function, device);
  ASSERT_EQ(function(device), NF_OK);
  const std::vector<std::string> results = device.results();
  const std::vector<std::string> before = host.data;
  std::vector<char> workspace(1 << 16);
  nf_options options{};
  options.workspace = workspace.data();
  options.workspace_bytes = int64_t(workspace.size());
  ASSERT_EQ(library.symbol<nf_status(const void *, const nf_options *)>(name)(host.bytes.data(), &options), NF_OK);
  EXPECT_NE(host.data, before);
  EXPECT_TRUE(results == host.data);
}

INSTANTIATE_TEST_SUITE_P(Driver, SameBits,
                         ::testing::Values(Case{"layer_norm cols=96", {5, 96}}, Case{"layer_norm", {3, 131}},
                                           Case{"layer_norm gamma=none outputs=y", {2, 7}}, Case{"rms_norm x=bf16 cols=64", {9, 64}},
                                           Case{"batch_norm_train", {3, 2, 10}}, Case{"softmax cols=40", {4, 40}}));

TEST_F(Driver, MachineCodeForItsGenerationElseWhatTheDriverCompiles) {
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"80", "load cubin sm_80"}, {"89", "load cubin sm_80"}, {"90", "load cubin sm_90"}, {"100", "load ptx sm_90"}};
  const bool assembled = !find_assembler().ptxas.empty();
  for (const auto &[device, event] : expected) {
    const Setting devices("DEVICES", device);
    make_current();
    const LoadedLibrary library = load();
    const Call host(parse_problem("layer_norm cols=96"), {1, 96});
    const DeviceFunction function(library, kLayerNorm);
    const DeviceCall call(host);
    announce(function, call);
    ASSERT_EQ(function(call), NF_OK);
    ASSERT_EQ(function(call), NF_OK);
    const std::vector<std::string> events = take_driver_events();
    ASSERT_EQ(events.size(), 3u) << device; // one load, two launches
    if (assembled)
      EXPECT_EQ(events[0], event);
    else
      EXPECT_TRUE(events[0].starts_with("load ptx")) << events[0];
  }
}

TEST_F(Driver, ACaptureTakesUpTheFirstCall) {
  make_current();
  const LoadedLibrary library = load();
  const Call host(parse_problem("batch_norm_train"), {2, 3, 5});
  const DeviceFunction function(library, host.table.function().name);
  DeviceCall plain(host), captured(host);
  ASSERT_EQ(function.add_workspace(plain), NF_OK);
  ASSERT_EQ(function.add_workspace(captured), NF_OK);
  announce(function, plain);
  CUhandle stream, graph;
  ASSERT_EQ(cuStreamCreate(&stream, 0), 0);
  captured.options.stream = stream;
  ASSERT_EQ(cuStreamBeginCapture_v2(stream, 0), 0);
  EXPECT_EQ(function(captured), NF_OK);
  ASSERT_EQ(cuStreamEndCapture(stream, &graph), 0);
  EXPECT_TRUE(captured.results() == host.data); // nothing has run
  ASSERT_EQ(cuGraphLaunch(graph, stream), 0);
  ASSERT_EQ(function(plain), NF_OK);
  EXPECT_FALSE(captured.results() == host.data);
  EXPECT_TRUE(captured.results() == plain.results());
}

TEST_F(Driver, ThreadsOfSeveralContextsLoadOnceEach) {
  const Setting devices("DEVICES", "90,80");
  const LoadedLibrary library = load();
  const Call host(parse_problem("layer_norm cols=96"), {2, 96});
  const DeviceFunction function(library, kLayerNorm);
  CUhandle contexts[3];
  std::vector<std::unique_ptr<DeviceCall>> calls;
  for (int i = 0; i < 3; ++i) { // two on one device
    ASSERT_EQ(cuCtxCreate_v2(&contexts[i], 0, i / 2), 0);
    calls.push_back(std::make_unique<DeviceCall>(host));
    announce(function, *calls.back());
  }
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 9; ++i)
      threads.emplace_back([&, i] {
        cuCtxSetCurrent(contexts[i % 3]);
        EXPECT_EQ(function(*calls[size_t(i % 3)]), NF_OK);
      });
  }
  const std::vector<std::string> events = take_driver_events();
  const auto loads = [&](const char *what) {
    return std::ranges::count_if(events, [&](const std::string &event) { return event.starts_with("load") && event.ends_with(what); });
  };
  EXPECT_EQ(loads("sm_90"), 2);
  EXPECT_EQ(loads("sm_80"), 1);
  EXPECT_EQ(events.size(), 12u);
  for (const auto &call : calls)
    EXPECT_TRUE(call->results() == calls[0]->results());
}

TEST_F(Driver, ANewContextWhereAnotherWasGetsItsOwnCode) {
  const LoadedLibrary library = load();
  const Call host(parse_problem("layer_norm cols=96"), {2, 96});
  const DeviceFunction function(library, kLayerNorm);
  for (int i = 0; i < 3; ++i) {
    CUhandle context;
    ASSERT_EQ(cuCtxCreate_v2(&context, 0, 0), 0);
    const DeviceCall call(host);
    announce(function, call);
    EXPECT_EQ(function(call), NF_OK);
    EXPECT_EQ(take_driver_events().size(), 2u);
    cuCtxDestroy_v2(context);
  }
}

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

TEST_F(Driver, EmptyCallsEnqueueNothing) {
  make_current();
  const LoadedLibrary library = load();
  const Call host(parse_problem("layer_norm cols=96"), {0, 96});
  EXPECT_EQ(DeviceFunction(library, kLayerNorm)(DeviceCall(host)), NF_OK);
  EXPECT_TRUE(take_driver_events().empty());
}

} // namespace
} // namespace normforge
