// How schedules fared at one shape, for `normforge explain`: a table for people, and JSON for programs.
#pragma once

#include <string>

#include "autotune/choose.h"
#include "autotune/device.h"

namespace llvm::json {
class Value;
}

namespace normforge::cli {

/// The ranking with intervals, at most `most` schedules beside the default, and the knobs that mattered. `device`: whose samples they are.
std::string text(const ShapeResult &, const Device &device, int most);

llvm::json::Value json(const ShapeResult &);

} // namespace normforge::cli
