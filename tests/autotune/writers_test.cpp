// Many processes that write one file at once, are killed in the middle, or have no room: what was reported as written is there, whole.
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "autotune/database.h"
#include "dsl/error.h"
#include "tests/autotune/records.h"
#include "tests/package/temporary.h"

namespace normforge {
namespace {

using testing::contents;
using testing::measured;

class Writers : public ::testing::Test {
protected:
  /// Runs `work` in a process of its own, which ends with it.
  static pid_t start(const std::function<void()> &work) {
    const pid_t child = ::fork();
    if (child != 0)
      return child;
    try {
      work();
    } catch (const std::exception &error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }

  static bool succeeded(pid_t child) {
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  /// The Records of the file, and how many of its lines are damaged.
  std::pair<Database, int> read() const {
    int warnings = 0;
    Database database = read_database(path, [&](const std::string &) { ++warnings; });
    return {std::move(database), warnings};
  }

  /// What append_records() says in a process that `prepare` has made unable to write. An empty text: it wrote.
  std::string failure(const std::function<void()> &prepare, const std::function<void()> &write) const {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = start([&] {
      std::string message;
      prepare();
      try {
        write();
      } catch (const UserError &error) {
        message = error.what();
      }
      if (::write(ends[1], message.data(), message.size()) != ssize_t(message.size()))
        ::_exit(1);
    });
    ::close(ends[1]);
    EXPECT_TRUE(succeeded(child));
    char message[1000] = {};
    EXPECT_GE(::read(ends[0], message, sizeof message - 1), 0);
    ::close(ends[0]);
    return message;
  }

  testing::TemporaryDirectory directory;
  std::string path = directory / "records.jsonl";
};

const Warn kNoWarning = [](const std::string &warning) { ADD_FAILURE() << warning; };

TEST_F(Writers, EightAtOnceLoseNothing) {
  constexpr int kEach = 25;
  std::vector<pid_t> children;
  for (int writer = 0; writer < 8; ++writer)
    children.push_back(start([&, writer] {
      for (int i = 0; i < kEach; ++i)
        append_records(path, std::vector{measured(writer * kEach + i), measured(1000, uint64_t(writer * kEach + i))});
    }));
  for (const pid_t child : children)
    EXPECT_TRUE(succeeded(child));
  const auto [database, damaged] = read();
  EXPECT_EQ(damaged, 0);
  EXPECT_EQ(database.records().size(), 8u * kEach + 1);
  EXPECT_EQ(database.find(measured(1000).key)->samples.size(), 8u * kEach); // merged from all of them
}

TEST_F(Writers, KilledAnywhere) {
  // Appenders say the number of each Record once it is written; rewriters bring the file into its canonical form over and over.
  const int kills = std::getenv("NORMFORGE_LONG") ? 1000 : 200;
  int acknowledged[2];
  ASSERT_EQ(::pipe(acknowledged), 0);
  ASSERT_EQ(::fcntl(acknowledged[0], F_SETFL, O_NONBLOCK), 0);
  int next = 0;
  const auto appender = [&] {
    const int first = next += 10000;
    return start([&, first] {
      for (int number = first;; ++number) {
        append_records(path, std::vector{measured(number)});
        if (::write(acknowledged[1], &number, sizeof number) != sizeof number)
          ::_exit(1);
      }
    });
  };
  const auto rewriter = [&] {
    return start([&] {
      for (;;)
        rewrite_database(path, [](Database database) { return database; }, [](const std::string &) {});
    });
  };
  std::mt19937 random(1);
  std::vector<pid_t> running;
  const auto stop = [&](size_t victim) {
    ::kill(running[victim], SIGKILL);
    ::waitpid(running[victim], nullptr, 0);
  };
  std::set<int> written;
  int damaged = 0;
  for (int kill = 0; kill < kills; ++kill) {
    while (running.size() < 4)
      running.push_back(running.size() % 2 ? rewriter() : appender());
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 8000));
    const size_t victim = random() % running.size();
    stop(victim);
    for (int number; ::read(acknowledged[0], &number, sizeof number) == sizeof number;)
      written.insert(number);
    const auto [database, skipped] = read();
    damaged += skipped;
    for (const int number : written)
      ASSERT_NE(database.find(measured(number).key), nullptr) << number << ", after " << kill << " kills";
    running[victim] = victim % 2 ? rewriter() : appender();
  }
  for (size_t victim = 0; victim < running.size(); ++victim)
    stop(victim);
  EXPECT_LE(damaged, kills); // a write that was cut off, until a rewriter leaves it out
  EXPECT_GT(written.size(), size_t(kills) / 4);
  std::printf("%zu Records written, %d incomplete lines seen\n", written.size(), damaged);
}

TEST_F(Writers, NoRoom) {
  const std::vector few{measured(0)};
  append_records(path, few);
  const std::string before = contents(path);
  const auto limited = [&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{before.size() + 100, before.size() + 100};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  };
  const std::string appending = failure(limited, [&] { append_records(path, std::vector{measured(1)}); });
  EXPECT_TRUE(appending.starts_with("cannot append to '" + path + "': File too large; it is as it was")) << appending;
  EXPECT_EQ(contents(path), before);
  const auto doubled = [](Database database) {
    database.add(measured(1));
    return database;
  };
  const std::string rewriting = failure(limited, [&] { rewrite_database(path, doubled, kNoWarning); });
  EXPECT_TRUE(rewriting.starts_with("cannot write '" + path + "': File too large; it is as it was")) << rewriting;
  EXPECT_EQ(contents(path), before);
  const std::string fresh = directory / "fresh.jsonl";
  EXPECT_NE(failure(limited, [&] { append_records(fresh, std::vector{measured(1), measured(2)}); }), "");
  EXPECT_EQ(testing::files_below(directory / ".").size(), 1u); // no draft, no empty file
  EXPECT_NE(failure([] {}, [&] { append_records("/dev/full", few); }).find("No space left on device"), std::string::npos);
}

TEST_F(Writers, ReadOnly) {
  append_records(path, std::vector{measured(0)});
  const std::string before = contents(path);
  namespace fs = std::filesystem;
  using enum fs::perms;
  fs::permissions(path, owner_read | group_read | others_read);
  fs::permissions(directory / ".", owner_read | owner_exec | group_read | group_exec | others_read | others_exec);
  const auto nobody = [] {
    if (::geteuid() == 0 && ::seteuid(65534) != 0)
      ::_exit(1);
  };
  const std::string appending = failure(nobody, [&] { append_records(path, std::vector{measured(1)}); });
  EXPECT_EQ(appending, "cannot append to '" + path + "': Permission denied");
  const auto same = [](Database database) { return database; };
  EXPECT_NE(failure(nobody, [&] { rewrite_database(path, same, kNoWarning); }), "");
  EXPECT_NE(failure(nobody, [&] { append_records(directory / "new.jsonl", std::vector{measured(1)}); }), "");
  EXPECT_EQ(failure(nobody, [&] { EXPECT_EQ(read_database(path, kNoWarning).records().size(), 1u); }), "");
  EXPECT_EQ(contents(path), before);
  fs::permissions(directory / ".", owner_all);
}

TEST_F(Writers, RewritingKeepsPermissionsAndLinks) {
  namespace fs = std::filesystem;
  append_records(path, std::vector{measured(1), measured(0), measured(1, 2)});
  fs::permissions(path, fs::perms(0640));
  const std::string link = directory / "link.jsonl";
  fs::create_symlink(path, link);
  rewrite_database(link, [](Database database) { return database; }, kNoWarning);
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(fs::status(path).permissions(), fs::perms(0640));
  EXPECT_EQ(contents(path), to_text(read_database(path, kNoWarning)));
  EXPECT_EQ(read_database(path, kNoWarning).records().size(), 2u);
}

TEST_F(Writers, AChangeThatThrowsChangesNothing) {
  const auto refuse = [](Database) -> Database { throw UserError("no"); };
  EXPECT_THROW(rewrite_database(path, refuse, kNoWarning), UserError);
  EXPECT_FALSE(std::filesystem::exists(path));
  append_records(path, std::vector{measured(1)});
  const std::string before = contents(path);
  EXPECT_THROW(rewrite_database(path, refuse, kNoWarning), UserError);
  EXPECT_EQ(contents(path), before);
}

} // namespace
} // namespace normforge
