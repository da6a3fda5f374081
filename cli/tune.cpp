// normforge tune: finds the fastest schedule for each problem of a file, by measuring.
#include <csignal>
#include <filesystem>

#include "autotune/pack/write.h"
#include "autotune/search.h"
#include "autotune/shapes.h"
#include "cli/answers.h"
#include "cli/choice.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "codegen/package/files.h"
#include "codegen/package/kernel_cache.h"
#include "codegen/package/run_bands.h"
#include "dsl/error.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

namespace normforge::cli {
namespace {

struct TuneFlags {
  std::string problems, target, effort = "quick", budget, database = "normforge.db", lock = "normforge.lock", pack, cache;
  int threads = 1, jobs = 0;
  uint64_t seed = 1;
  bool resume = false, numerics = false, pin = false, json = false;
};

constexpr std::pair<const char *, Effort> kEfforts[] = {
    {"estimate", Effort::estimate}, {"quick", Effort::quick}, {"patient", Effort::patient}, {"exhaustive", Effort::exhaustive}};

volatile std::sig_atomic_t interrupted = 0;

/// The first Ctrl-C ends the search after what is being measured; the second ends the program.
void interrupt(int signal) {
  interrupted = 1;
  std::signal(signal, SIG_DFL);
}

double budget_seconds(const std::string &text) {
  constexpr std::pair<char, double> units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
  for (const auto &[letter, unit] : units)
    if (!text.empty() && text.back() == letter) {
      char *end = nullptr;
      const double number = std::strtod(text.c_str(), &end);
      if (end == &text.back() && number > 0 && number < 1e6)
        return number * unit;
    }
  throw UserError("--budget " + text + ": expected a duration such as 90s, 10m or 2h");
}

Effort effort_named(const std::string &name) {
  for (const auto &[known, effort] : kEfforts)
    if (name == known)
      return effort;
  throw UserError("--effort " + name + ": expected estimate, quick, patient or exhaustive");
}

/// What would be measured, as a directory to measure elsewhere.
void make_pack(const std::vector<Problem> &problems, const SearchOptions &options, const std::string &directory) {
  ProgressLine line;
  const PackSummary made = write_pack(problems, options, directory, [&](const Progress &at) { line.show(at); });
  line.clear();
  if (!made.no_machine_code.empty())
    warn("warning: the pack has PTX alone, which the GPU's driver compiles: " + made.no_machine_code);
  const std::string rejected = made.gated ? llvm::formatv(" ({0} rejected)", made.rejected).str() : std::string(", to be checked there,");
  print(llvm::formatv("{0}: {1} problems, {2} candidates{3} for {4}; copy it to a machine {5} and start {0}/run there\n", directory,
                      made.problems, made.candidates, rejected, options.target->name,
                      options.target->gpu() ? "with such a GPU" : "of that level")
            .str());
}

void tune(const TuneFlags &flags) {
  const Target &target = chosen_target(flags.target);
  const std::vector<Problem> problems = in_bands(parse_problems(read_file(flags.problems), flags.problems), target);
  if (problems.empty())
    throw UserError(flags.problems + ": there is no problem to tune; write a line such as 'layer_norm cols=768'");
  SearchOptions options;
  options.target = &target;
  options.backend = &backend_for(*options.target);
  options.effort = effort_named(flags.effort);
  options.budget_seconds = flags.budget.empty() ? 0 : budget_seconds(flags.budget);
  options.seed = flags.seed;
  options.threads = flags.threads;
  options.jobs = flags.jobs;
  options.resume = flags.resume;
  options.numerics = flags.numerics;
  options.pin = flags.pin;
  options.database = flags.database;
  options.warn = warn;
  options.cache = flags.cache.empty() ? default_cache_directory() : flags.cache;
  if (!flags.pack.empty())
    return make_pack(problems, options, flags.pack);
  const Lockfile before = read_lockfile(flags.lock); // a damaged one is refused before time is spent

  ProgressLine line;
  const auto previous = std::signal(SIGINT, interrupt);
  Lockfile lock = before;
  llvm::json::Array report;
  const auto done = [&](const SearchResult &result) {
    line.clear();
    if (flags.json)
      report.push_back(json(result));
    else
      print(summary(result));
    if (result.complete)
      put_entries(lock, result.problem, *options.target, result.entries);
    write_files({{flags.lock, to_text(lock)}});
  };
  try {
    search(problems, options, [&](const Progress &at) { line.show(at); }, done, [] { return interrupted != 0; });
  } catch (...) {
    line.clear();
    throw;
  }
  std::signal(SIGINT, previous);
  line.clear();
  if (flags.json)
    print_json(std::move(report));
  if (interrupted)
    throw UserError("stopped; all that was measured is in " + flags.database + ", and --resume goes on from there");
}

} // namespace

void add_tune(CLI::App &program) {
  CLI::App *verb = program.add_subcommand("tune", "Find the fastest schedule for each problem of a file, by measuring");
  verb->footer(
      "Every candidate passes a gate before it is timed, and is timed side by side with the default schedule, which stays unless another\n"
      "one is faster beyond noise. Samples go to the database as they come; the choices go to the lockfile, which 'normforge build "
      "--lock'\n"
      "reads. Ctrl-C keeps what was measured, and --resume goes on.\n"
      "Example:\n"
      "  normforge tune norms.problems --budget 10m --db norms.db --lock norms.lock\n"
      "  normforge tune norms.problems --target x86-64-v3 --pack pack, then pack/run on a machine that runs it, then normforge db merge\n"
      "  normforge tune norms.problems --target sm_90, on a machine with such a GPU; with --pack pack, for one that has nothing else");
  auto flags = std::make_shared<TuneFlags>();
  verb->add_option("PROBLEMS", flags->problems, "File of problems")->type_name("")->required();
  add_target_option(*verb, flags->target);
  verb->add_option("--effort", flags->effort,
                   "estimate: the cost model alone; quick: 10 s a problem at most; patient: a minute; exhaustive: every schedule")
      ->type_name("EFFORT")
      ->capture_default_str();
  verb->add_option("--budget", flags->budget, "Time for all problems: 90s, 10m, 2h (default: what the effort takes)")->type_name("TIME");
  CLI::Option *database =
      verb->add_option("--db", flags->database, "Database of what was measured")->type_name("FILE")->capture_default_str();
  CLI::Option *lock = verb->add_option("--lock", flags->lock, "Lockfile of what was chosen")->type_name("FILE")->capture_default_str();
  verb->add_option("--threads", flags->threads, "Threads that a timed call may use")
      ->type_name("N")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  CLI::Option *resume = verb->add_flag("--resume", flags->resume, "Don't measure again what the database has");
  verb->add_flag("--numerics", flags->numerics,
                 "Search the numerics half, too: other bits than the default's. The first problem of a function decides it for the others");
  verb->add_flag("--pin", flags->pin, "Keep timed calls on as many CPUs as they have threads: the last ones that this process may use");
  CLI::Option *json = verb->add_flag("--json", flags->json, "Print what was chosen as JSON");
  verb->add_option("--pack", flags->pack, "Measure nothing here: write what to measure, and a program that does it, to a new directory")
      ->type_name("DIR")
      ->excludes(database, lock, resume, json);
  verb->add_option("--seed", flags->seed, "Of inputs and of the order of measuring")->type_name("N")->capture_default_str();
  add_compile_options(*verb, flags->jobs, flags->cache);
  verb->callback([flags] { tune(*flags); });
}

} // namespace normforge::cli
