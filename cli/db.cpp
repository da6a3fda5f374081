// normforge db: what can be done with a database of measurements: put several together, drop what is superseded, compare two, check one
// against this machine (db_verify.cpp), and hand its samples to other programs.
#include <filesystem>
#include <map>
#include <set>

#include "autotune/database_diff.h"
#include "autotune/effects.h"
#include "autotune/export.h"
#include "autotune/superseded.h"
#include "cli/answers.h"
#include "cli/db.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "codegen/package/files.h"
#include "dsl/error.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

namespace normforge::cli {
namespace {

using llvm::formatv;
using llvm::json::Array;
using llvm::json::Object;

std::string count_of(size_t count, const char *noun) { return std::to_string(count) + " " + noun + (count == 1 ? "" : "s"); }

// merge

struct MergeFlags {
  std::vector<std::string> from;
  std::string database = "normforge.db";
  bool json = false;
};

void merge_files(const MergeFlags &flags) {
  Database added;
  for (const std::string &path : flags.from) { // all of them are read before anything is written
    const Database from = load_database(path);
    for (const auto &[key, record] : from.records())
      added.add(record);
  }
  size_t records = 0, fresh = 0, grown = 0;
  const auto unite = [&](Database database) {
    for (const auto &[key, record] : added.records()) {
      const Record *known = database.find(key);
      const Record before = known ? *known : Record{};
      database.add(record);
      known ? grown += !(*database.find(key) == before) : ++fresh;
    }
    records = database.records().size();
    return database;
  };
  rewrite_database(flags.database, unite, warn);
  if (flags.json)
    print_json(Object{{"database", flags.database}, {"records", int64_t(records)}, {"new", int64_t(fresh)}, {"grown", int64_t(grown)}});
  else
    print(formatv("{0}: {1}, {2} of them new and {3} with more samples than before\n", flags.database, count_of(records, "record"), fresh,
                  grown)
              .str());
}

void add_merge(CLI::App &db) {
  CLI::App *verb = db.add_subcommand("merge", "Put the records of several databases into one; nothing is lost");
  verb->footer(
      "Records of the same experiment become one with the samples of all. What the database holds stays; it is written anew, sorted, in\n"
      "one step, so that it may be committed.\n"
      "Example:\n"
      "  normforge db merge worker1.db worker2.db --db norms.db");
  auto flags = std::make_shared<MergeFlags>();
  verb->add_option("FROM", flags->from, "Databases to take records from")->type_name("")->required();
  add_database_option(*verb, flags->database, "Database to put them into; it is made where there is none");
  add_json_flag(*verb, flags->json);
  verb->callback([flags] { merge_files(*flags); });
}

// prune

struct PruneFlags {
  std::string problems, database = "normforge.db", cache;
  int jobs = 0;
  bool apply = false, json = false;
};

void prune(const PruneFlags &flags) {
  const Database database = load_database(flags.database);
  const std::vector<Problem> problems =
      flags.problems.empty() ? std::vector<Problem>() : parse_problems(read_file(flags.problems), flags.problems);
  const std::string directory = std::filesystem::path(flags.problems).parent_path();
  const KernelCache cache(flags.cache.empty() ? default_cache_directory() : flags.cache);
  const EmittedCode codes = emitted_code(database, problems, directory, cache, flags.jobs);
  std::map<std::string, size_t> reasons;
  std::set<RecordKey> dropped;
  for (const auto &[key, record] : database.records())
    if (const std::string why = superseded(key, codes, directory); !why.empty()) {
      ++reasons[why];
      dropped.insert(key);
    }
  if (flags.apply && !dropped.empty()) {
    const auto keep = [&](const Database &all) { // as it is by now: others may have added to it
      Database kept;
      for (const auto &[key, record] : all.records())
        if (!dropped.contains(key))
          kept.add(record);
      return kept;
    };
    rewrite_database(flags.database, keep, warn);
  }
  const size_t kept = database.records().size() - dropped.size();
  if (flags.json) {
    Object by_reason;
    for (const auto &[why, count] : reasons)
      by_reason[why] = int64_t(count);
    return print_json(Object{{"database", flags.database},
                             {"kept", int64_t(kept)},
                             {"superseded", int64_t(dropped.size())},
                             {"reasons", std::move(by_reason)},
                             {"applied", flags.apply}});
  }
  std::string text = formatv("{0}: {1} superseded, {2} kept\n", flags.database, count_of(dropped.size(), "record"), kept);
  for (const auto &[why, count] : reasons)
    text += formatv("  {0,6} {1}\n", count, why);
  if (!flags.apply && !dropped.empty())
    text += "nothing was changed; --apply drops them\n";
  print(text);
}

void add_prune(CLI::App &db) {
  CLI::App *verb = db.add_subcommand("prune", "Drop records that are superseded: by another compiler, of code that is no longer emitted");
  verb->footer(
      "Without --apply it only says what it would drop. Kernels are compiled for whole problems, so it takes the problems to know which\n"
      "code is still emitted; without them, other compilers and other texts of norms count alone.\n"
      "Examples:\n"
      "  normforge db prune --db norms.db\n"
      "  normforge db prune norms.problems --db norms.db --apply");
  auto flags = std::make_shared<PruneFlags>();
  verb->add_option("PROBLEMS", flags->problems, "File of problems that were tuned")->type_name("");
  add_database_option(*verb, flags->database, "Database of what was measured");
  verb->add_flag("--apply", flags->apply, "Drop them");
  add_compile_options(*verb, flags->jobs, flags->cache);
  add_json_flag(*verb, flags->json);
  verb->callback([flags] { prune(*flags); });
}

// diff

struct DiffFlags {
  std::string before, after;
  bool json = false;
};

Object answer_json(const ShapeAnswer &answer) {
  if (answer.schedule.empty())
    return {};
  return Object{{"schedule", answer.schedule}, {"gain", answer.gain}};
}

std::string answer_text(const ShapeAnswer &answer, const ShapeAnswer &other) {
  if (answer.schedule.empty())
    return "not measured";
  return formatv("{0} ({1:F2}x)", other.schedule.empty() ? answer.schedule : difference(answer.schedule, other.schedule), answer.gain);
}

void compare_files(const DiffFlags &flags) {
  const DatabaseDiff found = diff(load_database(flags.before), load_database(flags.after), {});
  if (flags.json) {
    const auto keys = [](const std::vector<RecordKey> &all) {
      Array array;
      for (const RecordKey &key : all)
        array.push_back(key_json(key));
      return array;
    };
    Array answers;
    for (const ChangedAnswer &answer : found.answers)
      answers.push_back(Object{{"problem", answer.problem},
                               {"target", answer.target},
                               {"compiler", answer.compiler},
                               {"device", answer.device},
                               {"threads", answer.threads},
                               {"before", answer_json(answer.before)},
                               {"after", answer_json(answer.after)}});
    return print_json(Object{{"added", keys(found.added)},
                             {"removed", keys(found.removed)},
                             {"changed", keys(found.changed)},
                             {"answers", std::move(answers)},
                             {"unknown", found.unknown}});
  }
  std::string text = formatv("{0} added, {1} removed, {2} with other samples\n", count_of(found.added.size(), "record"),
                             found.removed.size(), found.changed.size());
  text += formatv("{0} changed\n", count_of(found.answers.size(), "answer"));
  for (const ChangedAnswer &answer : found.answers)
    text += formatv("  {0} for {1}{2}\n    before: {3}\n    after:  {4}\n", answer.problem, answer.target,
                    answer.threads > 1 ? ", " + std::to_string(answer.threads) + " threads" : "", answer_text(answer.before, answer.after),
                    answer_text(answer.after, answer.before));
  if (found.unknown)
    text += formatv("not compared: {0} of norms that are not there or have another text now\n", count_of(size_t(found.unknown), "shape"));
  print(text);
}

void add_diff(CLI::App &db) {
  CLI::App *verb = db.add_subcommand("diff", "What tells two databases apart: records, and answers that changed");
  verb->footer("An answer is the fastest schedule at a shape that was measured, and how many times as fast as the default it is.\n"
               "Example:\n"
               "  normforge db diff yesterday.db today.db");
  auto flags = std::make_shared<DiffFlags>();
  verb->add_option("BEFORE", flags->before, "A database")->type_name("")->required();
  verb->add_option("AFTER", flags->after, "Another one")->type_name("")->required();
  add_json_flag(*verb, flags->json);
  verb->callback([flags] { compare_files(*flags); });
}

// export

struct ExportFlags {
  std::string database = "normforge.db", output;
  bool json = false;
};

void export_samples(const ExportFlags &flags) {
  const Database database = load_database(flags.database);
  std::string text = flags.json ? samples_json(database) : samples_csv(database);
  if (flags.output.empty())
    print(text);
  else
    write_files({{flags.output, std::move(text)}});
}

void add_export(CLI::App &db) {
  CLI::App *verb = db.add_subcommand("export", "Write every sample as a row of a table (CSV), for plots and spreadsheets");
  verb->footer("Samples of equal run, regime, threads and round were taken side by side.\n"
               "Examples:\n"
               "  normforge db export --db norms.db -o samples.csv\n"
               "  normforge db export --db norms.db --json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))'");
  auto flags = std::make_shared<ExportFlags>();
  add_database_option(*verb, flags->database, "Database of what was measured");
  verb->add_option("-o,--output", flags->output, "File (default: standard output)")->type_name("FILE");
  verb->add_flag("--json", flags->json, "An array with an object for each sample in place of CSV");
  verb->callback([flags] { export_samples(*flags); });
}

} // namespace

Object key_json(const RecordKey &key) {
  return Object{{"problem", key.problem}, {"target", key.target}, {"schedule", key.schedule}, {"compiler", key.compiler},
                {"device", key.device},   {"norm", key.norm},     {"code", key.code}};
}

void add_db(CLI::App &program) {
  CLI::App *db = program.add_subcommand("db", "Databases of measurements: merge, prune, diff, verify, export");
  db->footer("A database is a file of records, a line of JSON each; 'normforge tune' adds to it. Each of these has help with examples:\n"
             "  normforge db merge --help");
  db->require_subcommand(1);
  for (auto *add : {add_merge, add_prune, add_diff, add_verify, add_export})
    add(*db);
}

} // namespace normforge::cli
