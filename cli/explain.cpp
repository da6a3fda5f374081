// normforge explain: what was tried for a problem, how the schedules rank, which knobs made the difference, and why others were rejected.
#include <cmath>
#include <map>

#include "autotune/effects.h"
#include "autotune/shapes.h"
#include "cli/answers.h"
#include "cli/choice.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "dsl/error.h"
#include "dsl/words.h"
#include "llvm/Support/FormatVariadic.h"

namespace normforge::cli {
namespace {

struct ExplainFlags {
  std::vector<std::string> words;
  std::string target, database = "normforge.db", device;
  int threads = 1, most = 6;
};

std::string time_text(double seconds) {
  constexpr std::pair<double, const char *> units[] = {{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {1e-9, "ns"}};
  for (const auto &[unit, name] : units)
    if (seconds >= unit)
      return llvm::formatv("{0:F2} {1}", seconds / unit, name);
  return "0 s";
}

/// Which cache holds so many bytes: "L2".
std::string level_text(int64_t bytes, const Device &device) {
  for (size_t i = 0; i < device.cache.size(); ++i)
    if (bytes <= device.cache[i])
      return "L" + std::to_string(i + 1);
  return "memory";
}

/// Whether a shape's answer needs more to be said of it than its ranking.
std::string verdict(const ShapeResult &shape) {
  if (shape.best)
    return "";
  if (shape.noisy)
    return "  too noisy to tell: something may be faster than the default, but not beyond the noise\n";
  if (shape.standings.size() > 1)
    return "  nothing is faster than the default beyond the noise\n";
  return "  the default alone was measured\n";
}

std::string shape_text(const ShapeResult &shape, const Device &device, int most) {
  const std::string &by_default = shape.standings.front().schedule;
  const int64_t bytes = tensor_bytes(shape.shape);
  std::string text = "\n" + to_text(shape.shape) + "\n";
  text += llvm::formatv("  {0} KiB, which {1} holds; noise {2:F1} %", (bytes + 1023) / 1024, level_text(bytes, device),
                        100 * std::expm1(shape.noise));
  text += shape.cold_noise > 0 ? llvm::formatv(", {0:F1} % cold\n", 100 * std::expm1(shape.cold_noise)).str() : "\n";
  int shown = 0;
  const auto line = [&](const Standing &standing) {
    const bool is_default = standing.schedule == by_default;
    const LogRatio &warm = standing.confirmed.pairs ? standing.confirmed : standing.search;
    text += llvm::formatv("  {0} {1,-24} {2,10} {3,7:F1} GB/s  {4,-22} {5}\n", &standing == &shape.standings[shape.best] ? "*" : " ",
                          is_default ? "1.00x" : gain_text(warm), time_text(standing.seconds), double(bytes) / standing.seconds / 1e9,
                          is_default                 ? ""
                          : standing.cold.pairs      ? "cold " + llvm::formatv("{0:F2}x", std::exp(-standing.cold.value)).str()
                          : standing.confirmed.pairs ? ""
                                                     : "not confirmed",
                          difference(standing.schedule, by_default));
  };
  for (size_t i = 1; i < shape.standings.size() && shown < most; ++i, ++shown)
    line(shape.standings[i]);
  line(shape.standings.front());
  if (const int more = int(shape.standings.size()) - 1 - shown; more > 0)
    text += llvm::formatv("    and {0} slower ones\n", more);
  text += verdict(shape);
  if (!shape.best)
    return text;
  std::string knobs;
  int listed = 0;
  for (const Effect &effect : effects(shape, shape.standings[shape.best].schedule))
    if (std::fabs(effect.log_ratio) > shape.noise && listed++ < 5)
      knobs += llvm::formatv("    {0} instead of {1}: {2:F2}x\n", effect.choice, effect.instead, std::exp(-effect.log_ratio));
  return knobs.empty() ? text : text + "  what mattered, one knob at a time:\n" + knobs;
}

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

void explain(const ExplainFlags &flags) {
  const Problem problem = parse_problem(joined(flags.words, " "));
  const Target &target = chosen_target(flags.target);
  const Database database = load_database(flags.database);
  const Question question = stored_question(database, problem, target, flags.threads, flags.device, {});
  const Answer answer = choose(database, question);
  std::string text = to_text(problem) + "\n" + question.target + " on " + question.device + ", " + question.compiler + "\n";
  text += "default: " + question.default_schedule + "\n";
  for (const Band &band : answer.bands)
    text += llvm::formatv("chosen for {0}: {1}\n", to_text(band.problem), difference(band.schedule, question.default_schedule));
  for (const ShapeResult &shape : answer.shapes)
    text += shape_text(shape, parse_fingerprint(question.device), flags.most);
  print(text + rejections_text(answer, question.default_schedule));
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
  verb->add_option("--db", flags->database, "Database of what was measured")->type_name("FILE")->capture_default_str();
  verb->add_option("--target", flags->target, "CPU level (default: the best that this machine runs)")->type_name("TARGET");
  verb->add_option("--threads", flags->threads, "Threads that the timed calls had")
      ->type_name("N")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  verb->add_option("--device", flags->device, "Fingerprint of the machine that measured (default: this one, or the only one)")
      ->type_name("TEXT");
  verb->add_option("--most", flags->most, "Schedules to list for each shape")
      ->type_name("N")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  verb->callback([flags] { explain(*flags); });
}

} // namespace normforge::cli
