// Options that several verbs have, in the same words.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace normforge::cli {

/// Which of a database's Records count.
struct RecordFlags {
  std::string database = "normforge.db", target, device;
  int threads = 1;
  bool numerics = false; ///< with schedules of other numerics halves
};

void add_database_option(CLI::App &verb, std::string &database, const std::string &what);
void add_target_option(CLI::App &verb, std::string &target);
/// Threads that the timed calls of Records had.
void add_timed_threads_option(CLI::App &verb, int &threads);
void add_record_options(CLI::App &verb, RecordFlags &);
void add_json_flag(CLI::App &verb, bool &json);
void add_compile_options(CLI::App &verb, int &jobs, std::string &cache);

} // namespace normforge::cli
