#include "autotune/pack/run_pack.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/file.h>
#include <unistd.h>

#include "autotune/pack/measure_packed.h"
#include "dsl/error.h"

namespace normforge {
namespace {

struct Flags {
  std::string shard = "1/1", database;
  std::vector<std::string> files;
  bool choose = false;
};

/// What is said of a problem while it is measured. Flushed, for whoever follows a log.
template <class... Text> void say(const Text &...text) { (std::cout << ... << text) << std::endl; }

std::string home() { return std::filesystem::read_symlink("/proc/self/exe").parent_path(); }

/// The problems of the pack that this runner stands in.
std::vector<std::string> packed_files() {
  std::vector<std::string> files;
  for (const auto &entry : std::filesystem::directory_iterator(home()))
    if (entry.path().filename().string().ends_with(kPackedSuffix))
      files.push_back(entry.path());
  std::ranges::sort(files);
  if (files.empty())
    throw UserError("there are no problems (*" + std::string(kPackedSuffix) + ") in '" + home() + "', where the runner stands");
  return files;
}

/// "2/4": the second of four parts, of which every fourth problem is one.
void keep_shard(std::vector<std::string> &files, const std::string &shard) {
  int part = 0, parts = 0, end = 0;
  if (std::sscanf(shard.c_str(), "%d/%d%n", &part, &parts, &end) != 2 || size_t(end) != shard.size() || part < 1 || part > parts)
    throw UserError("--shard " + shard + ": expected I/N with I from 1 to N, such as 2/4");
  std::vector<std::string> mine;
  for (size_t i = size_t(part) - 1; i < files.size(); i += size_t(parts))
    mine.push_back(files[i]);
  files = std::move(mine);
}

/// Holds a problem's file against other runners until it dies; where a file system has no locks, nobody is held.
class Turn {
public:
  explicit Turn(const std::string &path) : file(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (::flock(file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
      return;
    say("  another runner measures it; waiting until that has ended");
    while (::flock(file, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  Turn(const Turn &) = delete;
  ~Turn() { ::close(file); }

private:
  int file;
};

/// Prints a line for each band of rows, or of whatever a problem leaves open: file, problem and schedule, with tabs between.
void print_choices(const Machine &machine, const Flags &flags) {
  Database known = read_database(flags.database, [](const std::string &) {});
  for (const std::string &path : flags.files) {
    const PackedProblem packed = read_packed_problem(path);
    for (const Band &band : choices(machine, packed, known))
      say(std::filesystem::path(path).filename().string(), "\t", to_text(band.problem), "\t", band.schedule);
  }
}

void run(const Machine &machine, Flags flags) {
  if (flags.files.empty())
    flags.files = packed_files();
  keep_shard(flags.files, flags.shard);
  if (flags.database.empty())
    flags.database = home() + "/records.db";
  if (flags.choose)
    return print_choices(machine, flags);
  append_records(flags.database, {});         // a file that cannot be written is found out before time is spent
  for (const std::string &path : flags.files) // a damaged one, too, or one that this machine does not run
    check_runs_on(machine, read_packed_problem(path));
  say(flags.files.size(), " problems, on ", fingerprint(machine.device()));
  for (size_t i = 0; i < flags.files.size(); ++i) {
    const PackedProblem packed = read_packed_problem(flags.files[i]);
    say("[", i + 1, "/", flags.files.size(), "] ", to_text(packed.problem));
    const Turn turn(flags.files[i]);
    const PackedResult result = measure_packed(machine, packed, flags.database, [](const Problem &shape, int kernels, bool confirms) {
      say("  ", confirms ? "confirming " : "measuring ", kernels, " kernels at ", to_text(shape));
    });
    say("  ", result.timed, " candidates, ", result.rejected, " rejected", result.known ? "; all of it had been measured before" : "");
  }
  say("all records are in ", flags.database, "; 'normforge db merge' brings them home");
}

} // namespace
int run_pack(int argc, char **argv, const Machine &machine, const std::string &device) {
  CLI::App program("Measures the problems that stand beside this program on " + device + ", and writes Records of them");
  program.footer("It may be stopped and started again: nothing is measured twice.\n"
                 "Example, on the second of four machines:\n"
                 "  ./run --shard 2/4 --db records-2.db");
  Flags flags;
  program.add_option("FILES", flags.files, "Problems to measure (default: all that stand beside this program)")->type_name("");
  program.add_option("--shard", flags.shard, "The I-th of N parts of them, for N machines")->type_name("I/N")->capture_default_str();
  program.add_option("--db", flags.database, "File that Records are appended to (default: records.db beside this program)")
      ->type_name("FILE");
  program.add_flag("--choose", flags.choose,
                   "Measure nothing: print which schedules are fastest, of the problems that are measured already");
  CLI11_PARSE(program, argc, argv);
  try {
    run(machine, std::move(flags));
    return 0;
  } catch (const UserError &error) {
    std::cerr << "run: " << error.what() << "\n";
    return 1;
  } catch (const std::exception &error) {
    std::cerr << "run: internal error: " << error.what() << "\n";
    return 2;
  }
}

} // namespace normforge
