#include "cli/choice.h"

#include "cli/names.h"
#include "codegen/package/run_bands.h"
#include "dsl/error.h"

namespace normforge::cli {

const Target &chosen_target(const std::string &name) { return name.empty() ? host_target() : find_target(name); }

void check_is_one_part(const Problem &problem, const Target &target, const std::string &each) {
  std::vector<std::string> parts;
  for (const Problem &part : in_bands({problem}, target))
    parts.push_back("'" + to_text(part) + "'");
  if (parts.size() > 1)
    throw UserError("'" + to_text(problem) + "' for " + std::string(target.name) + ": each of its parts " + each +
                    "; choose one of: " + joined(parts, ", "));
}

} // namespace normforge::cli
