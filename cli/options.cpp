#include "cli/options.h"

namespace normforge::cli {

void add_database_option(CLI::App &verb, std::string &database, const std::string &what) {
  verb.add_option("--db", database, what)->type_name("FILE")->capture_default_str();
}

void add_target_option(CLI::App &verb, std::string &target) {
  verb.add_option("--target", target, "CPU level (default: the best that this machine runs) or GPU architecture")->type_name("TARGET");
}

void add_timed_threads_option(CLI::App &verb, int &threads) {
  verb.add_option("--threads", threads, "Threads that the timed calls had")
      ->type_name("N")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
}

void add_record_options(CLI::App &verb, RecordFlags &flags) {
  add_database_option(verb, flags.database, "Database of what was measured");
  add_target_option(verb, flags.target);
  add_timed_threads_option(verb, flags.threads);
  verb.add_option("--device", flags.device, "Fingerprint of the machine that measured (default: this one, or the only one)")
      ->type_name("TEXT");
  verb.add_flag("--numerics", flags.numerics, "With schedules of other numerics halves, as 'normforge tune --numerics' tries them");
}

void add_json_flag(CLI::App &verb, bool &json) { verb.add_flag("--json", json, "Print JSON"); }

void add_compile_options(CLI::App &verb, int &jobs, std::string &cache) {
  verb.add_option("--jobs", jobs, "Threads that compile; 0: one per core")
      ->type_name("N")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  verb.add_option("--cache", cache, "Directory of compiled kernels (default: normforge/ in $XDG_CACHE_HOME or ~/.cache)")->type_name("DIR");
}

} // namespace normforge::cli
