// The emulator on mbarriers: each way to use them that a GPU leaves undefined, or that never ends there.
#include <gtest/gtest.h>

#include "tests/cuda/hand_written.h"

namespace normforge::cuda {
namespace {

const std::string kWho = "test: block 0 row 0 thread 3: ";

std::string alone(const std::function<void()> &what) { return fault_of(by(3, what)); }

TEST(EmulatedMbarrier, PhasesThatNeverEndAreFaults) {
  const std::string never = kWho + "waits at an mbarrier for a phase that never ends: it lacks ";
  EXPECT_EQ(alone([] {
              open_mbarrier();
              expect_bytes(16);
              bulk_copy();
              wait_for_bytes(0);
            }),
            never + "1 arrivals and 0 bytes");
  EXPECT_EQ(alone([] {
              open_mbarrier();
              expect_bytes(32);
              bulk_copy();
              arrive();
              wait_for_bytes(0);
            }),
            never + "0 arrivals and 16 bytes");
  EXPECT_EQ(alone([] {
              open_mbarrier(0, 2);
              fill();
              wait_for_bytes(0);
            }),
            never + "1 arrivals and 0 bytes");
  EXPECT_EQ(alone([] {
              open_mbarrier();
              fill();
              wait_for_bytes(0);
              wait_for_bytes(1);
            }),
            never + "1 arrivals and 0 bytes");
}

TEST(EmulatedMbarrier, ArrivalsAndBytesMustAgreeWithTheirPhase) {
  EXPECT_EQ(alone([] {
              open_mbarrier();
              bulk_copy();
              arrive();
            }),
            kWho + "arrives at an mbarrier whose phase expects 0 bytes, while 16 are on their way");
  EXPECT_EQ(alone([] {
              open_mbarrier();
              expect_bytes(16);
              arrive();
              bulk_copy(y, 32);
            }),
            kWho + "copies more bytes than the phase of its mbarrier expects");
  EXPECT_EQ(alone([] {
              open_mbarrier();
              arrive();
              arrive();
            }),
            kWho + "arrives at an mbarrier whose phase has all its arrivals");
  EXPECT_EQ(alone([] {
              open_mbarrier();
              arrive();
              expect_bytes(16);
            }),
            kWho + "expects bytes in a phase of an mbarrier that may have ended");
  EXPECT_EQ(alone([] {
              open_mbarrier();
              expect_bytes(1 << 20);
            }),
            kWho + "expects more bytes than a phase of an mbarrier counts");
}

TEST(EmulatedMbarrier, WaitsAreForThePhasesInTurn) {
  EXPECT_EQ(alone([] {
              open_mbarrier();
              wait_for_bytes(1);
            }),
            kWho + "waits at an mbarrier for parity 1, but its next phase there is number 0");
  EXPECT_EQ(alone([] {
              open_mbarrier();
              fill();
              wait_for_bytes(0);
              wait_for_bytes(0);
            }),
            kWho + "waits at an mbarrier for parity 0, but its next phase there is number 1");
  EXPECT_EQ(fault_of([] { // one thread misses a phase, and hears of the next
              by(3, [] { open_mbarrier(); })();
              barrier();
              for (uint32_t parity : {0, 1}) {
                by(3, [=] {
                  arrive();
                  wait_for_bytes(parity);
                })();
                barrier();
              }
              by(35, [] { wait_for_bytes(0); })();
            }),
            "test: block 0 row 0 thread 35: waits for phase 0 of an mbarrier, which is in phase 2");
}

TEST(EmulatedMbarrier, IsInitializedOnceAndKnownToThoseWhoUseIt) {
  const std::string none = kWho + "uses an mbarrier that is not initialized";
  for (const std::function<void()> &use : {std::function<void()>([] { expect_bytes(16); }), std::function<void()>([] { bulk_copy(); }),
                                           std::function<void()>([] { arrive(); }), std::function<void()>([] { wait_for_bytes(0); })})
    EXPECT_EQ(alone(use), none);
  EXPECT_EQ(alone([] {
              init_mbarrier();
              init_mbarrier();
            }),
            kWho + "initializes an mbarrier where there is one");
  EXPECT_EQ(alone([] { init_mbarrier(0, 0); }), kWho + "initializes an mbarrier for 0 arrivals");
  EXPECT_EQ(alone([] { emulated_mbarrier(7, words() + 1, 1); }),
            kWho + "writes 8 bytes at 4 of shared memory, an address that is no multiple of 8");
  EXPECT_EQ(alone([] {
              init_mbarrier();
              write(mbarrier());
            }),
            kWho + "touches an mbarrier as if it were data");
  EXPECT_EQ(
      two_threads([] { open_mbarrier(); }, [] {}, [] { arrive(); }),
      "test: block 0 row 0 thread 35: reads 8 bytes at 240 of shared memory, which row 0 thread 3 has written since the two last met");
  EXPECT_EQ(alone([] {
              init_mbarrier();
              expect_bytes(16);
              bulk_copy();
            }),
            kWho + "begins a bulk copy that reads 8 bytes at 240 of shared memory, which row 0 thread 3 has written since the two last met "
                   "before a proxy fence");
  EXPECT_EQ(fault_of(by(3, [] { init_mbarrier(); }), 0, 2), ""); // each block has its own
}

} // namespace
} // namespace normforge::cuda
