// normforge list: the norms that come with the program.
#include "cli/describe.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "llvm/Support/JSON.h"

namespace normforge::cli {
namespace {

void list(bool json) {
  if (json) {
    llvm::json::Array norms;
    for (const NormRef &norm : catalogue())
      norms.push_back(describe(*norm));
    return print_json(llvm::json::Value(std::move(norms)));
  }
  std::string text;
  for (const NormRef &norm : catalogue())
    text += signature(*norm) + "\n    " + first_sentence(norm->doc) + "\n";
  print(text);
}

} // namespace

void add_list(CLI::App &program) {
  CLI::App *verb = program.add_subcommand("list", "List the built-in norms: signature and one line about each");
  verb->footer("Examples:\n"
               "  normforge list\n"
               "  normforge list --json\n"
               "The whole text of one: normforge show layer_norm");
  auto json = std::make_shared<bool>(false);
  verb->add_flag("--json", *json, "Names, axes, tensors and scalars for a machine");
  verb->callback([json] { list(*json); });
}

} // namespace normforge::cli
