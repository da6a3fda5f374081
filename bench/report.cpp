#include "bench/report.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "bench/search_report.h"
#include "llvm/Support/JSON.h"

namespace bench {
namespace {

std::string format(const char *text, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, text);
  std::vsnprintf(buffer, sizeof buffer, text, arguments);
  va_end(arguments);
  return buffer;
}

std::string with_interval(const Ratio &r) { return format("%.2f (%.2f-%.2f)", r.value, r.lo, r.hi); }

double geometric_mean(const std::vector<Cell> &cells, Ratio Cell::*ratio) {
  double logs = 0;
  for (const Cell &cell : cells)
    logs += std::log((cell.*ratio).value);
  return std::exp(logs / double(cells.size()));
}

std::string mapping_of(const std::string &schedule) { return schedule.substr(std::min(schedule.size(), schedule.find('|') + 2)); }

llvm::json::Value json(const Ratio &r) { return llvm::json::Array{r.lo, r.value, r.hi}; }

} // namespace

std::string legend() {
  return "Ratios of times, with 95 % intervals: below 1, the generated kernel is the faster. 'default' is the unmeasured schedule against "
         "the plain\n"
         "hand-written kernel; 'best' the best of a handful of schedules against the best hand-written one. 'copy' and 'nt-copy': the "
         "speed of the\n"
         "default schedule as a fraction of copying as many bytes, with normal and with streaming stores.\n";
}

std::string table_header() {
  return format("%-10s %-4s %10s %2s %10s  %-17s %-17s %5s %7s  %s\n", "norm", "type", "shape", "th", "default us", "default/plain",
                "best/best", "copy", "nt-copy", "best schedule : best hand-written");
}

std::string table_row(const Cell &c) {
  return format("%-10s %-4s %10s %2d %10.2f  %-17s %-17s %5.2f %7.2f  %s : %s\n", c.norm.c_str(), c.element.c_str(), name(c.shape).c_str(),
                c.threads, c.seconds * 1e6, with_interval(c.plain).c_str(), with_interval(c.best).c_str(), c.copy.value,
                c.stream_copy.value, mapping_of(c.best_schedule).c_str(), c.best_hand.c_str());
}

std::string summary(const std::vector<Cell> &cells) {
  const auto above = [&](Ratio Cell::*ratio, double limit) {
    return int(std::ranges::count_if(cells, [&](const Cell &cell) { return (cell.*ratio).lo > limit; }));
  };
  return format(
      "%zu cells: default/plain %.2f in the geometric mean, %d beyond 1.15 with certainty; best/best %.2f, %d beyond 1.00 with certainty\n",
      cells.size(), geometric_mean(cells, &Cell::plain), above(&Cell::plain, 1.15), geometric_mean(cells, &Cell::best),
      above(&Cell::best, 1.0));
}

std::string to_text(const CompileTimes &t) {
  return format("compile %s: %zu kernels, median %.0f ms, max %.0f ms (%s)\n", t.target.c_str(), t.kernels, t.median * 1e3, t.max * 1e3,
                t.slowest.c_str());
}

std::string knob_header() { return "\nWhat each knob is good for: time by the first schedule over time by the second.\n"; }

std::string knob_row(const KnobResult &result) {
  const KnobWin &w = result.win;
  return llvm::formatv("{0,-9} {1,-16} {2} : {3}  ({4}, {5}, {6} thread{7})\n", w.knob, with_interval(result.ratio), w.wins, w.loses,
                       w.problem, w.target, w.threads, w.threads == 1 ? "" : "s")
      .str();
}

std::string to_json(const Results &results) {
  llvm::json::Array speed, knobs, compiling;
  for (const Cell &c : results.speed)
    speed.push_back(llvm::json::Object{{"norm", c.norm},
                                       {"dtype", c.element},
                                       {"rows", c.shape.rows},
                                       {"cols", c.shape.cols},
                                       {"threads", c.threads},
                                       {"default_seconds", c.seconds},
                                       {"default_schedule", c.default_schedule},
                                       {"default_over_plain", json(c.plain)},
                                       {"best_schedule", c.best_schedule},
                                       {"best_hand_written", c.best_hand},
                                       {"best_over_best", json(c.best)},
                                       {"fraction_of_copy", json(c.copy)},
                                       {"fraction_of_streaming_copy", json(c.stream_copy)}});
  for (const KnobResult &k : results.knobs)
    knobs.push_back(llvm::json::Object{{"knob", llvm::StringRef(k.win.knob)},
                                       {"problem", llvm::StringRef(k.win.problem)},
                                       {"target", llvm::StringRef(k.win.target)},
                                       {"threads", k.win.threads},
                                       {"schedule", llvm::StringRef(k.win.wins)},
                                       {"against", llvm::StringRef(k.win.loses)},
                                       {"ratio", json(k.ratio)}});
  for (const CompileTimes &t : results.compile)
    compiling.push_back(llvm::json::Object{{"target", t.target},
                                           {"kernels", int64_t(t.kernels)},
                                           {"median_seconds", t.median},
                                           {"max_seconds", t.max},
                                           {"slowest", t.slowest}});
  std::string text;
  llvm::raw_string_ostream(text) << llvm::formatv("{0:2}\n",
                                                  llvm::json::Value(llvm::json::Object{{"speed", std::move(speed)},
                                                                                       {"knobs", std::move(knobs)},
                                                                                       {"compile", std::move(compiling)},
                                                                                       {"search", search_json(results.search)}}));
  return text;
}

} // namespace bench
