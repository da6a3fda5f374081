// What the parts of `normforge db` share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "autotune/record.h"
#include "llvm/Support/JSON.h"

namespace normforge::cli {

/// `normforge db verify`.
void add_verify(CLI::App &db);

llvm::json::Object key_json(const RecordKey &);

} // namespace normforge::cli
