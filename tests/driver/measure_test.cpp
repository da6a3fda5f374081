// The gate and the measurement of a pack on a GPU, which the stand-in driver plays: what is right passes and is timed, and what is broken
// is recorded, whatever it does to its context, while the others go on.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

#include "autotune/database.h"
#include "autotune/gate.h"
#include "autotune/pack/measure_packed.h"
#include "tests/autotune/search_support.h"

namespace normforge {
namespace {

/// A problem of a pack that the stand-in knows.
PackedProblem packed(const std::string &text, const std::vector<const char *> &changes) {
  PackedProblem packed = testing::packed_problem(text, find_target("sm_90"), changes);
  std::ofstream lines(std::getenv("NORMFORGE_STAND_IN_KERNELS"));
  for (const PackedCandidate &candidate : packed.candidates)
    lines << packed.target << '\t' << text << '\t' << candidate.kernel.schedule << '\n';
  return packed;
}

/// A launch then gets one of its arguments in the place of another.
void swap_parameters(PackedCandidate &candidate, size_t one, size_t other) {
  for (Step &step : candidate.kernel.steps)
    for (size_t &offset : step.launch.parameters)
      if (offset == one || offset == other)
        offset = one + other - offset;
}

constexpr size_t tensor_offset(size_t tensor) { return offsetof(nf_kernel_args, tensors) + tensor * sizeof(void *); }

class MeasuredOnGpu : public ::testing::Test {
protected:
  const std::string database = std::filesystem::temp_directory_path() / ("normforge-gpu-" + std::to_string(::getpid()) + ".db");
  void TearDown() override { std::filesystem::remove(database); }

  /// What is known of each candidate: why it was rejected, or "timed"; empty: nothing.
  std::vector<std::string> measured(const PackedProblem &packed) {
    const auto tell = [](const Problem &, int, bool) {};
    measure_packed(this_gpu(), parse_packed_problem(to_bytes(packed), "file"), database, tell);
    std::vector<std::string> found(packed.candidates.size());
    const Database read = read_database(database, [](const std::string &) {});
    for (const auto &[key, record] : read.records())
      for (size_t i = 0; i < found.size(); ++i)
        if (packed.candidates[i].kernel.schedule == key.schedule) {
          found[i] = record.rejected.empty() ? "timed" : record.rejected;
          for (const Samples &samples : record.samples)
            EXPECT_EQ(samples.regime, Regime::cold);
          if (record.rejected.empty() && !packed.candidates[i].gated)
            EXPECT_GT(record.deviation, 0);
        }
    return found;
  }
};

// Strides, offsets and odd extents of the gate; tensors that are updated, or lie in place of others, and so must be put back.
TEST_F(MeasuredOnGpu, WhatIsRightIsTimed) {
  for (const char *text : {"softmax rows=4 cols=33", "layer_norm rows=3 cols=40 x=bf16 gamma=f32 strides=x:rows,y:any",
                           "rms_norm rows=5 cols=64 inplace=y:x", "batch_norm_train batch=2 channel=3 space=10"}) {
    SCOPED_TRACE(text);
    const PackedProblem made = packed(text, {"blocks=1"});
    for (const std::string &found : measured(made))
      EXPECT_EQ(found, "timed");
    std::filesystem::remove(database);
  }
}

TEST_F(MeasuredOnGpu, AnIllegalAddressEndsItsCandidateAlone) {
  PackedProblem made = packed("softmax rows=4 cols=33", {"rows=2 blocks=1", "rows=1 blocks=1"});
  const size_t extents = offsetof(nf_kernel_args, extents);
  swap_parameters(made.candidates[1], tensor_offset(0), extents);
  for (const bool gated : {false, true}) {
    for (PackedCandidate &candidate : made.candidates)
      candidate.gated = gated;
    const std::vector<std::string> found = measured(made);
    EXPECT_EQ(found[0], "timed");
    EXPECT_TRUE(found[1].starts_with("crash: ") && found[1].ends_with("error 700, an illegal memory access was encountered")) << found[1];
    EXPECT_EQ(found[2], "timed");
    EXPECT_EQ(measured(made), found);
    std::filesystem::remove(database);
  }
}

/// How many blocks of a cluster a GPU holds at once, its launch alone tells.
TEST_F(MeasuredOnGpu, AClusterThatTheDeviceCannotHoldIsRecorded) {
  const PackedProblem made = packed("layer_norm rows=4 cols=512", {"cluster=2 rows=1 blocks=1 threads=32 vector=4", "rows=1 blocks=1"});
  ::setenv("NORMFORGE_STAND_IN_CLUSTER", "1", 1);
  const std::vector<std::string> found = measured(made);
  ::unsetenv("NORMFORGE_STAND_IN_CLUSTER");
  EXPECT_EQ(found[0], "timed");
  EXPECT_NE(found[1].find("error 912"), std::string::npos) << found[1];
  EXPECT_EQ(found[2], "timed");
  std::filesystem::remove(database);
  EXPECT_EQ(measured(made), std::vector<std::string>(3, "timed"));
}

TEST_F(MeasuredOnGpu, WrongResultsAreRejected) {
  PackedProblem made = packed("add_rms_norm rows=4 cols=33", {"rows=2 blocks=1"});
  swap_parameters(made.candidates[1], tensor_offset(0), tensor_offset(2)); // x and gamma
  std::vector<std::string> found = measured(made);
  EXPECT_EQ(found[0], "timed");
  EXPECT_TRUE(found[1].starts_with("crash: ") || found[1].starts_with("gate: ")) << found[1];
  std::filesystem::remove(database);
  made = packed("moments batch=4 channel=3 space=11", {"rows=2 blocks=1"});
  swap_parameters(made.candidates[1], tensor_offset(1), tensor_offset(2)); // two outputs
  for (const bool gated : {false, true}) {
    for (PackedCandidate &candidate : made.candidates)
      candidate.gated = gated;
    found = measured(made);
    EXPECT_EQ(found[0], "timed");
    EXPECT_TRUE(found[1].starts_with("gate: ")) << found[1];
    EXPECT_EQ(found[1].find("its bits are not those of the default") != std::string::npos, gated) << found[1];
    std::filesystem::remove(database);
  }
}

TEST_F(MeasuredOnGpu, AFingerprintOfAGpu) {
  const Device device = this_gpu().device();
  EXPECT_TRUE(device.gpu());
  EXPECT_EQ(parse_fingerprint(fingerprint(device)), device);
  EXPECT_FALSE(same_class(device, this_device()));
  Device larger = device;
  EXPECT_TRUE(same_class(device, larger));
  larger.cores = 3 * device.cores;
  EXPECT_FALSE(same_class(device, larger));
  EXPECT_EQ(this_gpu().cannot_run(find_target("sm_90")), "");
  EXPECT_NE(this_gpu().cannot_run(find_target("x86-64-v2")), "");
}

} // namespace
} // namespace normforge
