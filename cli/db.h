// What the parts of `normforge db` share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "autotune/record.h"
#include "llvm/Support/JSON.h"

namespace normforge::cli {

/// `normforge db verify`.
void add_verify(CLI::App &db);

void add_database_option(CLI::App &verb, std::string &database, const std::string &what);
void add_json_flag(CLI::App &verb, bool &json);
void add_compile_options(CLI::App &verb, int &jobs, std::string &cache);

llvm::json::Object key_json(const RecordKey &);

} // namespace normforge::cli
