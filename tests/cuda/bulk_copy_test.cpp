// The emulator on bulk copies: what arrives and when, and what they must be ordered after and before.
#include <cstring>

#include <gtest/gtest.h>

#include "tests/cuda/hand_written.h"

namespace normforge::cuda {
namespace {

const std::string kWho = "test: block 0 row 0 thread 3: ";

std::string alone(const std::function<void()> &what) { return fault_of(by(3, what)); }

TEST(EmulatedBulkCopy, BytesArriveWhenTheirPhaseIsWaitedFor) {
  x[0] = 5, x[6] = 7;
  float before = 0, first = 0, second = 0;
  EXPECT_EQ(alone([&] {
              open_mbarrier();
              fill();
              std::memcpy(&before, words(), 4);
              wait_for_bytes(0);
              read(words());
              std::memcpy(&first, words(), 4);
              proxy_fence();
              expect_bytes(16);
              arrive(); // before the copy: the bytes keep the phase open
              bulk_copy(x, 16, words());
              wait_for_bytes(1);
              std::memcpy(&second, words(), 4);
            }),
            "");
  EXPECT_NE(before, before); // poison
  EXPECT_EQ(first, 5);
  EXPECT_EQ(second, 5);
}

TEST(EmulatedBulkCopy, AllThreadsMayWait) {
  for (uint64_t order : {0, 1, 5})
    EXPECT_EQ(fault_of(
                  [] {
                    by(0, [] { open_mbarrier(); })();
                    barrier();
                    by(0, [] { fill(); })();
                    wait_for_bytes(0);
                    read(words(), 16, 16);
                    proxy_fence();
                    barrier();
                    by(0, [] { fill(); })();
                    wait_for_bytes(1);
                    read(words());
                  },
                  order),
              "");
}

TEST(EmulatedBulkCopy, DataIsNotTouchedBeforeItsPhaseEnds) {
  const std::string early = "4 bytes at 0 of shared memory, which a bulk copy has written since the two last met";
  EXPECT_EQ(alone([] {
              open_mbarrier();
              fill();
              read(words());
            }),
            kWho + "reads " + early);
  EXPECT_EQ(alone([] {
              open_mbarrier();
              fill();
              write(words());
            }),
            kWho + "writes " + early);
  EXPECT_EQ(fault_of([] { // the thread that waits is another
              by(3, [] {
                open_mbarrier();
                fill();
                wait_for_bytes(0);
              })();
              by(35, [] { read(words()); })();
            }),
            "test: block 0 row 0 thread 35: reads " + early);
  EXPECT_EQ(alone([] { // two stages: each has to be waited for
              open_mbarrier(0);
              open_mbarrier(1);
              fill(x, 0, words());
              fill(x, 1, words() + 4);
              wait_for_bytes(0, 1);
              read(words());
            }),
            kWho + "reads " + early);
  x[0] = 5;
  EXPECT_EQ(alone([] { // where it comes from
              open_mbarrier();
              expect_bytes(16);
              bulk_copy(y);
              arrive();
              write(y);
            }),
            kWho + "writes 4 bytes at 0 of y, which a bulk copy has read since the two last met");
}

TEST(EmulatedBulkCopy, ACopyComesAfterReadsThatAreMetAndFenced) {
  const auto reader = [](const std::function<void()> &after) {
    return fault_of([=] {
      by(3, [] { open_mbarrier(); })();
      barrier();
      by(3, [] { fill(); })();
      wait_for_bytes(0);
      by(35, [] { read(words()); })();
      after();
      by(3, [] { fill(); })();
      wait_for_bytes(1);
    });
  };
  const std::string wrong = kWho +
                            "begins a bulk copy that writes 16 bytes at 0 of shared memory, which row 0 thread 35 has read since the "
                            "two last met before a proxy fence";
  EXPECT_EQ(reader([] { // each for itself
              proxy_fence();
              barrier();
            }),
            "");
  EXPECT_EQ(reader([] { // or for all that it has met
              barrier();
              proxy_fence();
            }),
            "");
  EXPECT_EQ(reader([] { barrier(); }), wrong);
  EXPECT_NE(reader([] { proxy_fence(); }), "");
  EXPECT_EQ(reader([] {
              by(3, proxy_fence)();
              barrier();
            }),
            wrong);
  EXPECT_EQ(reader([] {
              barrier();
              by(35, proxy_fence)();
            }),
            wrong);
}

TEST(EmulatedBulkCopy, WhatIsCopiedIsWholePiecesOfMemoryThatIsThere) {
  const auto copies = [](const float *from, uint32_t bytes, int at = 0) {
    return alone([=] {
      open_mbarrier();
      expect_bytes(bytes);
      bulk_copy(from, bytes, words() + at);
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
              open_mbarrier();
              expect_bytes(16);
              emulated_bulk_copy(12, y, x, 16, mbarrier());
            }),
            where);
}

TEST(EmulatedBulkCopy, NothingIsLeftBehind) {
  const std::string left = "test: block 0 ends while an mbarrier counts what nobody has waited for";
  EXPECT_EQ(alone([] {
              open_mbarrier();
              fill();
            }),
            left);
  EXPECT_EQ(alone([] {
              open_mbarrier();
              expect_bytes(16);
            }),
            left);
}

} // namespace
} // namespace normforge::cuda
