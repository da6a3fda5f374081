// normforge db verify: whether the records of a database still hold on this machine.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <unistd.h>

#include "autotune/effects.h"
#include "autotune/verify.h"
#include "cli/answers.h"
#include "cli/choice.h"
#include "cli/db.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "codegen/package/files.h"
#include "codegen/package/kernel_cache.h"
#include "codegen/package/run_bands.h"
#include "dsl/error.h"
#include "llvm/Support/FormatVariadic.h"

namespace normforge::cli {
namespace {

using llvm::formatv;
using llvm::json::Array;
using llvm::json::Object;

struct VerifyFlags {
  std::string problems, database = "normforge.db", target, cache;
  int threads = 1, sample = 4, jobs = 0;
  uint64_t seed = 1;
  bool json = false;
};

size_t failures(const Verification &found) {
  return found.broken.size() + size_t(std::ranges::count(found.retimed, false, &Retimed::holds));
}

std::string report(const Verification &found) {
  std::string text = formatv("{0}\n  {1} records of this machine, {2} of them do not hold; {3} of other machines or compilers\n",
                             to_text(found.problem), found.records, failures(found), found.elsewhere);
  const auto line = [&](bool holds, const RecordKey &key, const std::string &what) {
    text +=
        formatv("  {0}  {1} | {2}: {3}\n", holds ? "holds" : "fails", key.problem, difference(key.schedule, found.default_schedule), what);
  };
  for (const Broken &broken : found.broken)
    line(false, broken.key, broken.why);
  for (const Retimed &retimed : found.retimed)
    line(retimed.holds, retimed.key, "recorded " + gain_text(retimed.recorded) + ", now " + gain_text(retimed.now));
  return text;
}

Object ratio_json(const LogRatio &ratio) {
  return Object{{"gain", std::exp(-ratio.value)}, {"lo", std::exp(-ratio.hi)}, {"hi", std::exp(-ratio.lo)}};
}

Object found_json(const Verification &found) {
  Array broken, retimed;
  for (const Broken &one : found.broken)
    broken.push_back(Object{{"record", key_json(one.key)}, {"why", one.why}});
  for (const Retimed &one : found.retimed)
    retimed.push_back(Object{{"record", key_json(one.key)},
                             {"recorded", ratio_json(one.recorded)},
                             {"now", ratio_json(one.now)},
                             {"noise", std::expm1(one.noise)},
                             {"holds", one.holds}});
  return Object{{"problem", to_text(found.problem)},
                {"records", found.records},
                {"elsewhere", found.elsewhere},
                {"broken", std::move(broken)},
                {"retimed", std::move(retimed)}};
}

void verify_file(const VerifyFlags &flags) {
  const Target &target = chosen_target(flags.target);
  const std::vector<Problem> problems = in_bands(parse_problems(read_file(flags.problems), flags.problems), target);
  const Database database = load_database(flags.database);
  VerifyOptions options;
  options.target = &target;
  options.threads = flags.threads;
  options.sample = flags.sample;
  options.seed = flags.seed;
  options.jobs = flags.jobs;
  options.directory = std::filesystem::path(flags.problems).parent_path();
  options.cache = flags.cache.empty() ? default_cache_directory() : flags.cache;
  const bool watched = ::isatty(STDERR_FILENO);
  size_t records = 0, failed = 0;
  Array all;
  for (const Problem &problem : problems) {
    const auto progress = [&](std::string_view doing) {
      if (watched)
        std::fprintf(stderr, "\r\033[K%s %s", std::string(doing).c_str(), to_text(problem).c_str());
    };
    const Verification found = verify(database, problem, options, progress, [] { return false; });
    if (watched)
      std::fputs("\r\033[K", stderr);
    records += size_t(found.records);
    failed += failures(found);
    if (flags.json)
      all.push_back(found_json(found));
    else
      print(report(found));
  }
  if (flags.json)
    print_json(std::move(all));
  if (records == 0)
    throw UserError(flags.database + ": has no records of these problems for " + std::string(options.target->name) +
                    " by this machine and compiler; measure them with 'normforge tune'");
  if (failed)
    throw UserError(std::to_string(failed) + " of " + std::to_string(records) +
                    " records do not hold; drop what is superseded with 'normforge db prune', and tune again");
}

} // namespace

void add_verify(CLI::App &db) {
  CLI::App *verb = db.add_subcommand("verify", "Check records against this machine: code, gate and a sample of timings");
  verb->footer(
      "Compiles what was tuned for each problem again, passes it through the gate, and times some of it beside the default. Says which\n"
      "records no longer hold; the exit code is 1 where there are any. The database stays as it is.\n"
      "Example:\n"
      "  normforge db verify norms.problems --db norms.db --sample 10");
  auto flags = std::make_shared<VerifyFlags>();
  verb->add_option("PROBLEMS", flags->problems, "File of problems that were tuned")->type_name("")->required();
  add_database_option(*verb, flags->database, "Database of what was measured");
  add_target_option(*verb, flags->target);
  add_timed_threads_option(*verb, flags->threads);
  verb->add_option("--sample", flags->sample, "Timings to take again for each problem")
      ->type_name("N")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  verb->add_option("--seed", flags->seed, "Of the sample and of inputs")->type_name("N")->capture_default_str();
  add_compile_options(*verb, flags->jobs, flags->cache);
  add_json_flag(*verb, flags->json);
  verb->callback([flags] { verify_file(*flags); });
}

} // namespace normforge::cli
