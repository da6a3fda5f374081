// Work in a child process: what it says arrives, however it ends.
#include <chrono>
#include <csignal>
#include <unistd.h>

#include <gtest/gtest.h>

#include "autotune/contain.h"
#include "dsl/error.h"

namespace normforge::testing {
namespace {

struct Heard {
  std::vector<std::string> messages;
  Ending ending;
};

Heard contain(const std::function<void(const Send &)> &work, double silence = 20, const std::function<bool()> &stop = {}) {
  Heard heard;
  heard.ending = run_contained(work, [&](std::string_view text) { heard.messages.emplace_back(text); }, silence, stop);
  return heard;
}

double seconds_of(const std::function<void()> &run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(Contain, MessagesArriveWholeAndInOrder) {
  std::string large(1 << 20, 'x'), zeros("a\0b", 3);
  const Heard heard = contain([&](const Send &send) {
    send("");
    send(zeros);
    send(large);
    for (int i = 0; i < 1000; ++i)
      send(std::to_string(i));
  });
  EXPECT_EQ(heard.ending.kind, Ending::finished);
  ASSERT_EQ(heard.messages.size(), 1003u);
  EXPECT_EQ(heard.messages[0], "");
  EXPECT_EQ(heard.messages[1], zeros);
  EXPECT_EQ(heard.messages[2], large);
  EXPECT_EQ(heard.messages.back(), "999");
}

TEST(Contain, ACrashKeepsWhatWasSaidBefore) {
  const Heard heard = contain([](const Send &send) {
    send("before");
    std::raise(SIGSEGV);
  });
  EXPECT_EQ(heard.messages, std::vector<std::string>{"before"});
  EXPECT_EQ(heard.ending.kind, Ending::crashed);
  EXPECT_EQ(heard.ending.signal, SIGSEGV);
  EXPECT_EQ(heard.ending.text(), "crash: signal 11 (Segmentation fault)");
}

TEST(Contain, AnEarlyExitIsACrash) {
  const Heard heard = contain([](const Send &) { ::_exit(0); });
  EXPECT_EQ(heard.ending.kind, Ending::crashed);
  EXPECT_EQ(heard.ending.signal, 0);
}

TEST(Contain, SilenceEndsTheChild) {
  Heard heard;
  const double took = seconds_of([&] {
    heard = contain(
        [](const Send &) {
          for (volatile int i = 0;; i = i + 1) {
          }
        },
        0.3);
  });
  EXPECT_EQ(heard.ending.kind, Ending::silent);
  EXPECT_LT(took, 3);
  EXPECT_TRUE(heard.ending.text().starts_with("hang: ")) << heard.ending.text();
}

TEST(Contain, StopEndsTheChild) {
  const Heard heard = contain([](const Send &) { ::sleep(60); }, 60, [] { return true; });
  EXPECT_EQ(heard.ending.kind, Ending::stopped);
}

TEST(Contain, ErrorsComeAcross) {
  EXPECT_THROW(contain([](const Send &) { throw UserError("mend this"); }), UserError);
  try {
    contain([](const Send &) { throw InternalError("a bug"); });
    FAIL();
  } catch (const InternalError &error) {
    EXPECT_STREQ(error.what(), "a bug");
  }
}

} // namespace
} // namespace normforge::testing
