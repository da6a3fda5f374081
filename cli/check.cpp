// normforge check: parses and checks norm files and problem files, all of them, and says what is wrong with each.
#include <functional>

#include "cli/describe.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "dsl/error.h"
#include "dsl/problem.h"
#include "llvm/Support/JSON.h"

namespace normforge::cli {
namespace {

struct Options {
  std::vector<std::string> files;
  bool print = false, json = false;
};

/// What a good file holds: its canonical text, one entry per norm or problem, and the same for a machine.
struct Contents {
  std::vector<std::string> texts;
  llvm::json::Array json;
};

Contents check_norms(const std::string &path) {
  Contents contents;
  for (const NormRef &norm : parse_norms(read_file(path), path)) {
    contents.texts.push_back(norm->text);
    contents.json.push_back(describe(*norm));
  }
  return contents;
}

Contents check_problems(const std::string &path) {
  Contents contents;
  for (const Problem &problem : parse_problems(read_file(path), path)) {
    contents.texts.push_back(to_text(problem) + "\n");
    contents.json.push_back(to_text(problem));
  }
  return contents;
}

struct FileKind {
  std::string_view suffix, noun;
  Contents (*check)(const std::string &path);
};
constexpr FileKind kFileKinds[] = {{".norm", "norm", check_norms}, {".problems", "problem", check_problems}};

const FileKind &kind_of(const std::string &path) {
  for (const FileKind &kind : kFileKinds)
    if (path.ends_with(kind.suffix))
      return kind;
  throw UserError("cannot tell what '" + path + "' holds: expected a name that ends in .norm or .problems");
}

void check(const Options &options) {
  std::string errors, text;
  llvm::json::Array report;
  for (const std::string &path : options.files)
    try {
      const FileKind &kind = kind_of(path);
      Contents contents = kind.check(path);
      const size_t count = contents.texts.size();
      if (options.print)
        for (const std::string &one : contents.texts)
          text += one;
      else
        text += path + ": " + std::to_string(count) + " " + std::string(kind.noun) + (count == 1 ? "" : "s") + ", no errors\n";
      report.push_back(llvm::json::Object{{"file", path}, {std::string(kind.noun) + "s", std::move(contents.json)}});
    } catch (const UserError &error) {
      report.push_back(llvm::json::Object{{"file", path}, {"error", error.what()}});
      errors += (errors.empty() ? "" : "\n") + std::string(error.what());
    }
  if (options.json)
    print_json(llvm::json::Value(std::move(report)));
  else
    print(text);
  if (!errors.empty())
    throw UserError(errors);
}

} // namespace

void add_check(CLI::App &program) {
  CLI::App *verb = program.add_subcommand("check", "Check norm files (.norm) and problem files (.problems)");
  verb->footer("Examples:\n"
               "  normforge check my_norm.norm\n"
               "  normforge check --print my_norm.norm     the canonical text\n"
               "  normforge check kernels.problems");
  auto options = std::make_shared<Options>();
  verb->add_option("FILE", options->files, "Files to check")->type_name("")->required();
  verb->add_flag("--print", options->print, "Print the canonical text of what they hold");
  verb->add_flag("--json", options->json, "What each file holds, or what is wrong with it, for a machine");
  verb->callback([options] { check(*options); });
}

} // namespace normforge::cli
