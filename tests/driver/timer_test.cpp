// The time of calls on a GPU: they start as one graph, and one by one where the driver records none.
#include <algorithm>

#include "codegen/gpu_call.h"
#include "tests/driver/driver_test.h"

namespace normforge::testing {
namespace {

class Timer : public Driver {
protected:
  Problem problem = parse_problem("softmax rows=3 cols=8");
  const Target &target = find_target("sm_90");
  const SweepPlan plan = make_sweep_plan(problem);
  const Schedule schedule = backend_for(target).default_schedule(plan, target);
  std::vector<float> x = std::vector<float>(24, 1), y = std::vector<float>(24, -1);

  void SetUp() override {
    std::ofstream(directory / "kernels.txt") << "sm_90\t" << to_text(problem) << '\t' << to_text(schedule, backend_for(target).knobs())
                                             << '\n';
    make_current();
  }

  /// What the driver did for so many timed calls, whose code was loaded before.
  std::vector<std::string> timed(int calls) {
    GpuCall call(plan, schedule, target, 0);
    call.bind({3, 8}, {x.data(), y.data()}, {});
    call.enqueue();
    take_driver_events();
    EXPECT_GT(call.time(calls), 0);
    return take_driver_events();
  }
};

TEST_F(Timer, CallsStartAsOneGraph) {
  EXPECT_EQ(timed(3), std::vector<std::string>{"graph of 3 launches"});
  EXPECT_EQ(timed(300), (std::vector<std::string>{"graph of 256 launches", "graph of 44 launches"}));
}

TEST_F(Timer, WhatIsNotRecordedIsLaunchedOneByOne) {
  for (const char *refused : {"cuStreamBeginCapture=900", "cuEventRecordWithFlags=1", "cuGraphInstantiate=801"}) {
    const Setting fail("FAIL", refused);
    const std::vector<std::string> events = timed(300);
    EXPECT_EQ(events.size(), 300u) << refused;
    EXPECT_TRUE(std::ranges::all_of(events, [](const std::string &event) { return event.starts_with("launch "); })) << refused;
  }
}

TEST_F(Timer, ACallThatFailsIsSaid) {
  GpuCall call(plan, schedule, target, 0);
  call.bind({3, 8}, {x.data(), y.data()}, {});
  call.enqueue();
  GpuTimer timer;
  const auto enqueue = [&](int64_t, void *stream) { call.enqueue(stream); };
  {
    const Setting fail("FAIL", "cuLaunchKernel=719");
    EXPECT_THROW(timer.seconds(2, enqueue), GpuFault);
  }
  EXPECT_GT(timer.seconds(2, enqueue), 0); // no capture was left open
  GpuTimer another;
  another.seconds(2, enqueue);
  EXPECT_TRUE(another.records());
  call.move({reinterpret_cast<uint64_t>(x.data()), reinterpret_cast<uint64_t>(y.data())}); // memory of the host
  EXPECT_THROW(another.seconds(2, enqueue), UserError);
}

} // namespace
} // namespace normforge::testing
