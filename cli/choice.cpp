#include "cli/choice.h"

namespace normforge::cli {

const Target &chosen_target(const std::string &name) { return name.empty() ? host_target() : find_target(name); }

} // namespace normforge::cli
