// normforge_bench: what the generated kernels are worth beside hand-written ones, on this machine.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include <CLI/CLI.hpp>

#include "bench/report.h"
#include "bench/search_report.h"
#include "bench/tuned_report.h"
#include "dsl/error.h"

namespace {

using namespace bench;

struct Options {
  std::vector<std::string> norms, elements, shapes; ///< empty: all
  std::vector<int> threads;                         ///< empty: what the part takes
  std::string target{normforge::host_target().name}, part = "all", json, database = "bench.db", results = "bench.jsonl";
  double budget = 20;
  bool quick = false;
};

template <class List> bool among(const List &list, const std::string &name) {
  return list.empty() || std::ranges::find(list, name) != std::ranges::end(list);
}

std::vector<Cell> speed(const Options &options) {
  const normforge::Target &target = normforge::find_target(options.target);
  if (!normforge::runs_here(target) || target.level < 3)
    throw normforge::UserError("--target " + options.target +
                               ": there are hand-written kernels for x86-64-v3 and x86-64-v4, on a machine that has them");
  std::vector<Cell> cells;
  std::printf("%s\n%s", legend().c_str(), table_header().c_str());
  for (hand::Norm norm : {hand::Norm::layer_norm, hand::Norm::rms_norm, hand::Norm::softmax})
    for (hand::Element element : {hand::Element::f32, hand::Element::bf16})
      for (Shape shape : kShapes) {
        if (!among(options.norms, name(norm)) || !among(options.elements, name(element)) || !among(options.shapes, name(shape)))
          continue;
        const Workload work(norm, element, shape);
        const std::vector<Generated> generated = generate(work, target);
        for (int threads : options.threads.empty() ? std::vector{1, 2} : options.threads) {
          cells.push_back(compare(work, generated, target.level, threads, options.quick));
          std::printf("%s", table_row(cells.back()).c_str());
          std::fflush(stdout);
        }
      }
  if (!cells.empty())
    std::printf("%s", summary(cells).c_str());
  return cells;
}

std::vector<KnobResult> knobs(bool quick) {
  std::vector<KnobResult> results;
  std::printf("%s", knob_header().c_str());
  for (const KnobWin &win : knob_wins())
    if (normforge::runs_here(normforge::find_target(win.target))) {
      results.push_back(measure(win, quick));
      std::printf("%s", knob_row(results.back()).c_str());
      std::fflush(stdout);
    }
  return results;
}

/// Quick: few problems, with little time each.
std::vector<SearchCell> searching(const Options &options) {
  constexpr int kRuns = 100, kFewRuns = 5;
  constexpr size_t kFewProblems = 2;
  const normforge::Target &target = normforge::find_target(options.target);
  std::vector<SearchCell> cells;
  std::printf("%s", search_header().c_str());
  for (std::string_view problem : search_problems().first(options.quick ? kFewProblems : search_problems().size())) {
    if (!among(options.norms, std::string(problem.substr(0, problem.find(' ')))))
      continue;
    cells.push_back(search_quality(problem, target, options.quick ? 2 : 10, options.quick ? 4 : 60));
    std::printf("%s", search_row(cells.back()).c_str());
    std::fflush(stdout);
  }
  if (!cells.empty())
    std::printf("%s", search_summary(cells).c_str());
  const int runs = options.quick ? kFewRuns : kRuns;
  std::printf("%s", false_winners_text(false_winners(target, runs), runs).c_str());
  return cells;
}

/// Cell by cell into the file of results; what it has is not measured again.
std::vector<TunedCell> tuning(const Options &options) {
  const normforge::Target &target = normforge::find_target(options.target);
  const TunedOptions how{.target = &target,
                         .budget_seconds = options.quick ? 1 : options.budget,
                         .database = options.database,
                         .rounds = options.quick ? 7 : 25};
  const std::vector<TunedCell> known = read_cells(options.results);
  std::vector<TunedCell> cells;
  std::printf("%s", tuned_header().c_str());
  for (int threads : options.threads.empty() ? std::vector{1} : options.threads)
    for (const TunedCase &each : tuned_cases(threads)) {
      if (!among(options.norms, std::string(each.norm)) || !among(options.elements, std::string(each.element)) ||
          !among(options.shapes, name(each.shape)))
        continue;
      if (const std::string why = left_out(each); !why.empty()) {
        std::printf("%s: left out, %s\n", name(each).c_str(), why.c_str());
        continue;
      }
      const auto at = std::ranges::find_if(known, [&](const TunedCell &cell) { return answers(cell, each, target); });
      cells.push_back(at != known.end() ? *at
                                        : measure(each, how, [](const std::string &what) { std::fprintf(stderr, "%s\n", what.c_str()); }));
      if (at == known.end())
        append_cell(options.results, cells.back());
      std::printf("%s", tuned_row(cells.back()).c_str());
      std::fflush(stdout);
    }
  if (!cells.empty())
    std::printf("%s", tuned_summary(cells).c_str());
  return cells;
}

std::vector<CompileTimes> compiling() {
  std::vector<CompileTimes> times;
  for (const normforge::Target &target : normforge::targets()) {
    times.push_back(compile_times(target));
    std::printf("%s", to_text(times.back()).c_str());
  }
  return times;
}

void write(const std::string &path, const std::string &text) {
  const std::string beside = path + ".tmp";
  std::ofstream file(beside);
  file << text;
  file.close();
  if (!file)
    throw normforge::UserError(path + ": cannot be written");
  std::filesystem::rename(beside, path);
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  std::set<std::string> shapes, norms(tuned_norms().begin(), tuned_norms().end());
  for (std::string_view problem : search_problems())
    norms.emplace(problem.substr(0, problem.find(' ')));
  for (const Shape &shape : kShapes)
    shapes.insert(name(shape));
  for (const Shape &shape : tuned_shapes())
    shapes.insert(name(shape));

  CLI::App app("Generated kernels against hand-written ones, side by side");
  app.add_option(
         "PART", options.part,
         "speed, knobs (what each knob wins), compile (how long kernels take to compile), search (how good the search is; minutes), "
         "tuned (tuned kernels against default ones; hours, in pieces) or all: the first three")
      ->check(CLI::IsMember({"speed", "knobs", "compile", "search", "tuned", "all"}))
      ->capture_default_str();
  app.add_option("--norm", options.norms, "norms to measure")->check(CLI::IsMember(norms))->delimiter(',');
  app.add_option("--dtype", options.elements, "element types")->check(CLI::IsMember({"f32", "bf16"}))->delimiter(',');
  app.add_option("--shape", options.shapes, "shapes, rows x columns")->check(CLI::IsMember(shapes))->delimiter(',');
  app.add_option("--threads", options.threads, "numbers of threads")->check(CLI::IsMember({1, 2}))->delimiter(',');
  app.add_option("--target", options.target, "level of both sides")->capture_default_str();
  app.add_option("--budget", options.budget, "tuned: seconds of each search")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--db", options.database, "tuned: database of the searches, which go on where it ends")->capture_default_str();
  app.add_option("--results", options.results, "tuned: file of the cells that are done, a line of JSON each; they are not measured again")
      ->capture_default_str();
  app.add_option("--json", options.json, "also write the results to this file");
  app.add_flag("--quick", options.quick, "fewer samples: wider intervals");
  CLI11_PARSE(app, argc, argv);
  try {
    const auto wants = [&](std::string_view part) { return options.part == part || options.part == "all"; };
    Results results;
    if (wants("speed"))
      results.speed = speed(options);
    if (wants("knobs"))
      results.knobs = knobs(options.quick);
    if (wants("compile"))
      results.compile = compiling();
    if (options.part == "search")
      results.search = searching(options);
    if (options.part == "tuned")
      tuning(options);
    if (!options.json.empty())
      write(options.json, to_json(results));
  } catch (const std::exception &error) {
    std::fprintf(stderr, "normforge_bench: %s\n", error.what());
    return 1;
  }
}
