// normforge replay: decides again from stored samples, on any machine, as the search that took them did.

#include "autotune/settled_numerics.h"
#include "cli/answers.h"
#include "cli/choice.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "codegen/package/files.h"
#include "codegen/package/run_bands.h"
#include "dsl/error.h"
#include "llvm/Support/JSON.h"

namespace normforge::cli {
namespace {

struct ReplayFlags {
  std::string problems, lock;
  RecordFlags records;
  bool json = false;
};

void replay(const ReplayFlags &flags) {
  const Target &target = chosen_target(flags.records.target);
  const std::vector<Problem> problems = in_bands(parse_problems(read_file(flags.problems), flags.problems), target);
  if (problems.empty())
    throw UserError(flags.problems + ": there is no problem to decide on; write a line such as 'layer_norm cols=768'");
  const Database database = load_database(flags.records.database);
  Lockfile lock = flags.lock.empty() ? Lockfile{} : read_lockfile(flags.lock);
  std::string text;
  llvm::json::Array report;
  SettledNumerics settled;
  for (const Problem &problem : problems) {
    Question question = stored_question(database, problem, flags.records);
    settled.apply(question);
    SearchResult result{problem, question, choose(database, question), {}, true};
    settled.learn(question, result.answer);
    put_entries(lock, problem, target, lock_entries(result.answer, question));
    text += summary(result);
    report.push_back(json(result));
  }
  if (!flags.lock.empty())
    write_files({{flags.lock, to_text(lock)}});
  if (flags.json)
    print_json(std::move(report));
  else
    print(text);
}

} // namespace

void add_replay(CLI::App &program) {
  CLI::App *verb = program.add_subcommand("replay", "Decide again from stored samples: the same answer, without the hardware");
  verb->footer("Example:\n"
               "  normforge replay norms.problems --db norms.db --lock norms.lock");
  auto flags = std::make_shared<ReplayFlags>();
  verb->add_option("PROBLEMS", flags->problems, "File of problems")->type_name("")->required();
  add_record_options(*verb, flags->records);
  verb->add_option("--lock", flags->lock, "Lockfile to write the choices to (default: they are printed alone)")->type_name("FILE");
  verb->add_flag("--json", flags->json, "Print what was chosen as JSON");
  verb->callback([flags] { replay(*flags); });
}

} // namespace normforge::cli
