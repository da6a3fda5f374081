// normforge explain: what was tried for a problem, how the schedules rank, which knobs made the difference, and why others were rejected.
#include <map>
#include <set>

#include "autotune/effects.h"
#include "cli/answers.h"
#include "cli/choice.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/standings.h"
#include "cli/verbs.h"
#include "codegen/inner_loops.h"
#include "codegen/package/run_bands.h"
#include "dsl/error.h"
#include "dsl/words.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

namespace normforge::cli {
namespace {

struct ExplainFlags {
  std::vector<std::string> words;
  RecordFlags records;
  int most = 6;
  bool json = false;
};

std::string rejections_text(const Answer &answer, const std::string &by_default) {
  std::string text;
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const Rejection &rejection : answer.rejections)
    by_reason[rejection.why].push_back(difference(rejection.schedule, by_default));
  for (const auto &[why, schedules] : by_reason) {
    text += llvm::formatv("\nrejected, {0}:\n", why);
    for (const std::string &schedule : schedules)
      text += "    " + schedule + "\n";
  }
  return text;
}

/// The default and those that serve bands; none for a GPU, whose code is not x86 assembly.
std::set<std::string> serving(const Answer &answer, const Question &question) {
  if (find_target(question.target).gpu())
    return {};
  std::set<std::string> schedules{question.default_schedule};
  for (const Band &band : answer.bands)
    schedules.insert(band.schedule);
  return schedules;
}

std::string assembly_of(const Question &question, const std::string &schedule) {
  const Target &target = find_target(question.target);
  const Backend &backend = backend_for(target);
  const SweepPlan plan = make_sweep_plan(question.problem);
  StageText stages;
  backend.compile(plan, parse_schedule(schedule, backend.knobs(), backend.default_schedule(plan, target)), target, "kernel", &stages);
  return stages.assembly;
}

llvm::json::Array loops_json(const std::string &assembly) {
  llvm::json::Array loops;
  for (const InnerLoop &loop : inner_loops(assembly))
    loops.push_back(llvm::json::Object{{"instructions", loop.instructions},
                                       {"vector", loop.vector},
                                       {"loads", loop.loads},
                                       {"stores", loop.stores},
                                       {"buffer_loads", loop.buffer_loads},
                                       {"buffer_stores", loop.buffer_stores},
                                       {"prefetches", loop.prefetches}});
  return loops;
}

std::string explanation(const Answer &answer, const Question &question, int most) {
  std::string text = to_text(question.problem) + "\n" + question.target + " on " + question.device + ", " + question.compiler + "\n";
  text += "default: " + question.default_schedule + "\n";
  for (const Band &band : answer.bands)
    text += llvm::formatv("chosen for {0}: {1}\n", to_text(band.problem), difference(band.schedule, question.default_schedule));
  for (const std::string &schedule : serving(answer, question))
    text += "  an iteration of each innermost loop, " + difference(schedule, question.default_schedule) + ":\n" +
            loop_table(assembly_of(question, schedule));
  for (const ShapeResult &shape : answer.shapes)
    text += cli::text(shape, parse_fingerprint(question.device), most);
  return text + rejections_text(answer, question.default_schedule);
}

llvm::json::Value explanation_json(const Answer &answer, const Question &question) {
  llvm::json::Array shapes, rejections, kernels;
  for (const ShapeResult &shape : answer.shapes)
    shapes.push_back(json(shape));
  for (const Rejection &rejection : answer.rejections)
    rejections.push_back(llvm::json::Object{{"schedule", rejection.schedule}, {"why", rejection.why}});
  for (const std::string &schedule : serving(answer, question))
    kernels.push_back(llvm::json::Object{{"schedule", schedule}, {"inner_loops", loops_json(assembly_of(question, schedule))}});
  llvm::json::Value all = json(SearchResult{question.problem, question, answer, {}, true});
  (*all.getAsObject())["shapes"] = std::move(shapes);
  (*all.getAsObject())["rejected"] = std::move(rejections);
  (*all.getAsObject())["kernels"] = std::move(kernels);
  return all;
}

void explain(const ExplainFlags &flags) {
  const Problem problem = parse_problem(joined(flags.words, " "));
  check_is_one_part(problem, chosen_target(flags.records.target), "was tuned by itself");
  const Database database = load_database(flags.records.database);
  Question question = stored_question(database, problem, flags.records);
  question.default_schedule = measured_default(database, question);
  const Answer answer = choose(database, question);
  print(flags.json ? llvm::formatv("{0:2}\n", explanation_json(answer, question)).str() : explanation(answer, question, flags.most));
}

} // namespace

void add_explain(CLI::App &program) {
  CLI::App *verb = program.add_subcommand("explain", "Why a problem has the schedule that it has: what was tried, and how it fared");
  verb->footer("Ratios say how many times as fast as the default a schedule was, with the interval that holds this with 95 % confidence; a "
               "star marks\n"
               "the fastest that is so beyond the noise.\n"
               "Example:\n"
               "  normforge explain layer_norm rows=1..8192 cols=768 --db norms.db");
  auto flags = std::make_shared<ExplainFlags>();
  verb->add_option("PROBLEM", flags->words, "A problem, or a part of one that was tuned")->type_name("")->required();
  add_record_options(*verb, flags->records);
  verb->add_option("--most", flags->most, "Schedules to list for each shape")
      ->type_name("N")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  verb->add_flag("--json", flags->json, "As JSON, with every schedule");
  verb->callback([flags] { explain(*flags); });
}

} // namespace normforge::cli
