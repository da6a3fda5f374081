// The emulator on mbarriers and the bulk copies that they count: what arrives and when, and each way to use them that a GPU leaves
// undefined, or that never ends there.
#include <cstring>

#include <gtest/gtest.h>

#include "tests/cuda/hand_written.h"

namespace normforge::cuda {
namespace {

// 256 bytes of shared memory: data, and two mbarriers at its end.
uint32_t *mbarrier(int number = 0) { return words() + 60 + 2 * number; }
void init(int number = 0, uint32_t arrivals = 1) { emulated_mbarrier(7, mbarrier(number), arrivals); }
void expect(uint32_t bytes, int number = 0) { emulated_bytes(8, mbarrier(number), bytes); }
void arrive(int number = 0) { emulated_arrival(9, mbarrier(number)); }
void wait(uint32_t parity, int number = 0) { emulated_byte_wait(10, mbarrier(number), parity); }
void fence() { emulated_fence(11); }
void copy(const float *from = x, uint32_t bytes = 16, uint32_t *to = words(), int number = 0) {
  emulated_bulk_copy(to, from, bytes, mbarrier(number));
}
/// An mbarrier that copies know of.
void open(int number = 0, uint32_t arrivals = 1) {
  init(number, arrivals);
  fence();
}
void fill(const float *from = x, int number = 0, uint32_t *to = words()) {
  expect(16, number);
  copy(from, 16, to, number);
  arrive(number);
}

const std::string kWho = "test: block 0 row 0 thread 3: ";

std::string alone(const std::function<void()> &what) { return fault_of(by(3, what)); }

TEST(EmulatedMbarrier, BytesArriveWhenTheirPhaseIsWaitedFor) {
  x[0] = 5, x[6] = 7;
  float before = 0, first = 0, second = 0;
  EXPECT_EQ(alone([&] {
              open();
              fill();
              std::memcpy(&before, words(), 4);
              wait(0);
              read(words());
              std::memcpy(&first, words(), 4);
              fence();
              expect(16);
              arrive(); // before the copy: the bytes keep the phase open
              copy(x, 16, words());
              wait(1);
              std::memcpy(&second, words(), 4);
            }),
            "");
  EXPECT_NE(before, before); // poison
  EXPECT_EQ(first, 5);
  EXPECT_EQ(second, 5);
}

TEST(EmulatedMbarrier, AllThreadsMayWait) {
  for (uint64_t order : {0, 1, 5})
    EXPECT_EQ(fault_of(
                  [] {
                    by(0, [] { open(); })();
                    barrier();
                    by(0, [] { fill(); })();
                    wait(0);
                    read(words(), 16, 16);
                    fence();
                    barrier();
                    by(0, [] { fill(); })();
                    wait(1);
                    read(words());
                  },
                  order),
              "");
}

TEST(EmulatedMbarrier, DataIsNotTouchedBeforeItsPhaseEnds) {
  const std::string early = "4 bytes at 0 of shared memory, which a bulk copy has written since the two last met";
  EXPECT_EQ(alone([] {
              open();
              fill();
              read(words());
            }),
            kWho + "reads " + early);
  EXPECT_EQ(alone([] {
              open();
              fill();
              write(words());
            }),
            kWho + "writes " + early);
  EXPECT_EQ(fault_of([] { // the thread that waits is another
              by(3, [] {
                open();
                fill();
                wait(0);
              })();
              by(35, [] { read(words()); })();
            }),
            "test: block 0 row 0 thread 35: reads " + early);
  EXPECT_EQ(alone([] { // two stages: each has to be waited for
              open(0);
              open(1);
              fill(x, 0, words());
              fill(x, 1, words() + 4);
              wait(0, 1);
              read(words());
            }),
            kWho + "reads " + early);
  x[0] = 5;
  EXPECT_EQ(alone([] { // where it comes from
              open();
              expect(16);
              copy(y);
              arrive();
              write(y);
            }),
            kWho + "writes 4 bytes at 0 of y, which a bulk copy has read since the two last met");
}

TEST(EmulatedMbarrier, ACopyComesAfterReadsThatAreMetAndFenced) {
  const auto reader = [](const std::function<void()> &after) {
    return fault_of([=] {
      by(3, [] { open(); })();
      barrier();
      by(3, [] { fill(); })();
      wait(0);
      by(35, [] { read(words()); })();
      after();
      by(3, [] { fill(); })();
      wait(1);
    });
  };
  const std::string wrong = kWho +
                            "begins a bulk copy that writes 16 bytes at 0 of shared memory, which row 0 thread 35 has read since the "
                            "two last met before a proxy fence";
  EXPECT_EQ(reader([] { // each for itself
              fence();
              barrier();
            }),
            "");
  EXPECT_EQ(reader([] { // or for all that it has met
              barrier();
              fence();
            }),
            "");
  EXPECT_EQ(reader([] { barrier(); }), wrong);
  EXPECT_NE(reader([] { fence(); }), "");
  EXPECT_EQ(reader([] {
              by(3, fence)();
              barrier();
            }),
            wrong);
  EXPECT_EQ(reader([] {
              barrier();
              by(35, fence)();
            }),
            wrong);
}

TEST(EmulatedMbarrier, WhatIsCopiedIsWholePiecesOfMemoryThatIsThere) {
  const auto copies = [](const float *from, uint32_t bytes, int at = 0) {
    return alone([=] {
      open();
      expect(bytes);
      copy(from, bytes, words() + at);
    });
  };
  const std::string begins = kWho + "begins a bulk copy that ";
  EXPECT_EQ(copies(x, 8), kWho + "copies 8 bytes in bulk, no multiple of 16");
  EXPECT_EQ(copies(x, 0), kWho + "copies 0 bytes in bulk, no multiple of 16");
  EXPECT_EQ(copies(y + 1, 16), begins + "reads 16 bytes at 4 of y, an address that is no multiple of 16");
  EXPECT_EQ(copies(y, 16, 1), begins + "writes 16 bytes at 4 of shared memory, an address that is no multiple of 16");
  EXPECT_EQ(copies(y, 64), begins + "reads 64 bytes that reach 16 past the end of y, which has 48");
  const std::string where = kWho + "copies in bulk to what is not shared memory of its block's own, or an mbarrier";
  EXPECT_EQ(copies(y, 16, 60), where);
  EXPECT_EQ(alone([] {
              open();
              expect(16);
              emulated_bulk_copy(y, x, 16, mbarrier());
            }),
            where);
}

TEST(EmulatedMbarrier, PhasesThatNeverEndAreFaults) {
  const std::string never = kWho + "waits at an mbarrier for a phase that never ends: it lacks ";
  EXPECT_EQ(alone([] {
              open();
              expect(16);
              copy();
              wait(0);
            }),
            never + "1 arrivals and 0 bytes");
  EXPECT_EQ(alone([] {
              open();
              expect(32);
              copy();
              arrive();
              wait(0);
            }),
            never + "0 arrivals and 16 bytes");
  EXPECT_EQ(alone([] {
              open(0, 2);
              fill();
              wait(0);
            }),
            never + "1 arrivals and 0 bytes");
  EXPECT_EQ(alone([] {
              open();
              fill();
              wait(0);
              wait(1);
            }),
            never + "1 arrivals and 0 bytes");
}

TEST(EmulatedMbarrier, ArrivalsAndBytesMustAgreeWithTheirPhase) {
  EXPECT_EQ(alone([] {
              open();
              copy();
              arrive();
            }),
            kWho + "arrives at an mbarrier whose phase expects 0 bytes, while 16 are on their way");
  EXPECT_EQ(alone([] {
              open();
              expect(16);
              arrive();
              copy(y, 32);
            }),
            kWho + "copies more bytes than the phase of its mbarrier expects");
  EXPECT_EQ(alone([] {
              open();
              arrive();
              arrive();
            }),
            kWho + "arrives at an mbarrier whose phase has all its arrivals");
  EXPECT_EQ(alone([] {
              open();
              arrive();
              expect(16);
            }),
            kWho + "expects bytes in a phase of an mbarrier that may have ended");
  EXPECT_EQ(alone([] {
              open();
              expect(1 << 20);
            }),
            kWho + "expects more bytes than a phase of an mbarrier counts");
}

TEST(EmulatedMbarrier, WaitsAreForThePhasesInTurn) {
  EXPECT_EQ(alone([] {
              open();
              wait(1);
            }),
            kWho + "waits at an mbarrier for parity 1, but its next phase there is number 0");
  EXPECT_EQ(alone([] {
              open();
              fill();
              wait(0);
              wait(0);
            }),
            kWho + "waits at an mbarrier for parity 0, but its next phase there is number 1");
  EXPECT_EQ(fault_of([] { // one thread misses a phase, and hears of the next
              by(3, [] { open(); })();
              barrier();
              for (uint32_t parity : {0, 1}) {
                by(3, [=] {
                  arrive();
                  wait(parity);
                })();
                barrier();
              }
              by(35, [] { wait(0); })();
            }),
            "test: block 0 row 0 thread 35: waits for phase 0 of an mbarrier, which is in phase 2");
}

TEST(EmulatedMbarrier, IsInitializedOnceAndKnownToThoseWhoUseIt) {
  const std::string none = kWho + "uses an mbarrier that is not initialized";
  for (const std::function<void()> &use : {std::function<void()>([] { expect(16); }), std::function<void()>([] { copy(); }),
                                           std::function<void()>([] { arrive(); }), std::function<void()>([] { wait(0); })})
    EXPECT_EQ(alone(use), none);
  EXPECT_EQ(alone([] {
              init();
              init();
            }),
            kWho + "initializes an mbarrier where there is one");
  EXPECT_EQ(alone([] { init(0, 0); }), kWho + "initializes an mbarrier for 0 arrivals");
  EXPECT_EQ(alone([] { emulated_mbarrier(7, words() + 1, 1); }),
            kWho + "writes 8 bytes at 4 of shared memory, an address that is no multiple of 8");
  EXPECT_EQ(alone([] {
              init();
              write(mbarrier());
            }),
            kWho + "touches an mbarrier as if it were data");
  EXPECT_EQ(
      two_threads([] { open(); }, [] {}, [] { arrive(); }),
      "test: block 0 row 0 thread 35: reads 8 bytes at 240 of shared memory, which row 0 thread 3 has written since the two last met");
  EXPECT_EQ(alone([] {
              init();
              expect(16);
              copy();
            }),
            kWho + "begins a bulk copy that reads 8 bytes at 240 of shared memory, which row 0 thread 3 has written since the two last met "
                   "before a proxy fence");
  EXPECT_EQ(fault_of(by(3, [] { init(); }), 0, 2), ""); // each block has its own
}

TEST(EmulatedMbarrier, NothingIsLeftBehind) {
  const std::string left = "test: block 0 ends while an mbarrier counts what nobody has waited for";
  EXPECT_EQ(alone([] {
              open();
              fill();
            }),
            left);
  EXPECT_EQ(alone([] {
              open();
              expect(16);
            }),
            left);
}

} // namespace
} // namespace normforge::cuda
