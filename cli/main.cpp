// The `normforge` program. This file owns what all verbs share: the top-level help, errors and exit codes.
//
//   0  done        1  a mistake that the person can mend (one line, or caret diagnostics, on stderr)        2  a bug in normforge
#include <cstdio>
#include <cstring>

#include "cli/verbs.h"
#include "dsl/error.h"
#include "dsl/words.h"

namespace normforge::cli {
namespace {

constexpr void (*kVerbs[])(CLI::App &) = {add_list, add_check,   add_show,   add_run, add_build,
                                          add_tune, add_explain, add_replay, add_db,  add_devices};

/// Text of several lines locates itself (file:line:column); a single line says which program speaks.
int fail(std::string_view message) {
  const bool diagnostics = message.find('\n') != message.npos;
  std::fprintf(stderr, "%s%.*s\n", diagnostics ? "" : "normforge: ", int(message.size()), message.data());
  return 1;
}

/// The innermost verb of the command line: `merge` of `db merge`.
const CLI::App &chosen_verb(const CLI::App &program) {
  const auto verbs = program.get_subcommands();
  return verbs.empty() ? program : chosen_verb(*verbs.front());
}

/// What is wrong with the command line. A flag that nobody knows comes before what it may have caused, such as a missing argument.
std::string usage_error(const CLI::App &program, const CLI::ParseError &error) {
  const CLI::App &verb = chosen_verb(program);
  std::string words;
  for (const CLI::App *app = &verb; app; app = app->get_parent())
    words = app->get_name() + " " + words;
  const std::string help = "; see '" + words + "--help'";
  for (const std::string &word : verb.remaining()) {
    std::vector<std::string> known;
    if (word.starts_with("-")) {
      for (const CLI::Option *option : verb.get_options())
        for (const std::string &name : option->get_lnames())
          known.push_back("--" + name);
      return "unknown flag '" + word + "'" + did_you_mean(word.substr(0, word.find('=')), known) + help;
    }
    if (const auto verbs = verb.get_subcommands({}); !verbs.empty()) {
      for (const CLI::App *sub : verbs)
        known.push_back(sub->get_name());
      return "unknown verb '" + word + "'" + did_you_mean(word, known) + help;
    }
    return "unexpected argument '" + word + "'" + help;
  }
  return (verb.get_subcommands({}).empty() ? error.what() : "give a verb") + help;
}

int run(int argc, char **argv) {
  CLI::App program("Compiles normalization kernels from a few lines of text.", "normforge");
  program.set_version_flag("--version", NORMFORGE_VERSION);
  program.footer("A verb's own help has examples: normforge run --help");
  program.require_subcommand(1);
  for (auto *add : kVerbs)
    add(program);
  try {
    program.parse(argc, argv);
    return 0;
  } catch (const CLI::Success &success) { // --help, --version
    return program.exit(success);
  } catch (const CLI::ParseError &error) {
    return fail(usage_error(program, error));
  } catch (const UserError &error) {
    return fail(error.what());
  } catch (const std::bad_alloc &) {
    return fail("out of memory");
  }
}

} // namespace
} // namespace normforge::cli

int main(int argc, char **argv) {
  try {
    return normforge::cli::run(argc, argv);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "normforge: internal error: %s\n", error.what());
    return 2;
  }
}
