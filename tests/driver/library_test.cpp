// Functions for GPUs of a library, run by the stand-in driver: the bits of the same library's functions for the CPU, and which code is
// loaded where.
#include <algorithm>
#include <thread>

#include "tests/driver/driver_test.h"

namespace normforge::testing {
namespace {

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

TEST_F(Driver, EmptyCallsEnqueueNothing) {
  make_current();
  const LoadedLibrary library = load();
  const Call host(parse_problem("layer_norm cols=96"), {0, 96});
  EXPECT_EQ(DeviceFunction(library, kLayerNorm)(DeviceCall(host)), NF_OK);
  EXPECT_TRUE(take_driver_events().empty());
}

} // namespace
} // namespace normforge::testing
