// Every sample of a database as a row of a table, for plots and spreadsheets.
#pragma once

#include <string>

#include "autotune/database.h"

namespace normforge {

/// Comma-separated values (RFC 4180, but for lines that end as the system's do): a row of names, then a row for each sample.
std::string samples_csv(const Database &);

/// An array with an object for each sample; fields as the columns are called.
std::string samples_json(const Database &);

} // namespace normforge
