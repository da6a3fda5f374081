#include "bench/search_report.h"

#include <algorithm>
#include <cmath>

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

namespace bench {
namespace {

using llvm::formatv;
using normforge::LogRatio;
using normforge::median;

constexpr double kTimes[] = {0.5, 1, 2, 3, 5, 7, 10, 20, 40, 60}; ///< seconds, of the curve

double percent(double log_ratio) { return 100 * std::expm1(log_ratio); }

std::string text(const Found &found) {
  return formatv("{0,5:F1} % ({1:F1} to {2:F1}) in {3,4:F1} s", percent(found.behind.value), percent(found.behind.lo),
                 percent(found.behind.hi), found.seconds);
}

/// Whether two seeds chose schedules that differ by no more than noise.
bool steady(const SearchCell &cell) {
  return cell.quick.schedule == cell.other_seed.schedule || std::fabs(cell.between_seeds.value) <= cell.noise ||
         (cell.between_seeds.lo <= 0 && cell.between_seeds.hi >= 0);
}

std::vector<double> each(const std::vector<SearchCell> &cells, Found SearchCell::*way, double (*value)(const Found &)) {
  std::vector<double> values;
  for (const SearchCell &cell : cells)
    values.push_back(value(cell.*way));
  return values;
}

double behind(const Found &found) { return percent(found.behind.value); }
double seconds(const Found &found) { return found.seconds; }

std::string outcome(const char *name, const std::vector<SearchCell> &cells, Found SearchCell::*way) {
  const std::vector<double> lost = each(cells, way, behind), took = each(cells, way, seconds);
  return formatv("{0}: {1:F1} % behind the best at the median, {2:F1} % at most; {3:F1} s at the median, {4:F1} s at most\n", name,
                 median(lost), *std::ranges::max_element(lost), median(took), *std::ranges::max_element(took));
}

/// How far behind the best a search was at a time, in percent; what it had nothing to say of counts as the default.
double behind_at(const SearchCell &cell, const Found &found, double time) {
  double ratio = cell.gain;
  for (const Moment &moment : found.moments)
    if (moment.seconds <= time)
      ratio = moment.behind;
  return 100 * (ratio - 1);
}

std::string curve(const char *name, const std::vector<SearchCell> &cells, Found SearchCell::*way) {
  const std::vector<double> took = each(cells, way, seconds);
  std::string line = formatv("{0,-8}", name);
  for (double time : kTimes) {
    std::vector<double> lost;
    for (const SearchCell &cell : cells)
      lost.push_back(behind_at(cell, cell.*way, time));
    line += formatv(" {0,6:F1}", median(lost));
    if (time > *std::ranges::max_element(took))
      break;
  }
  return line + "\n";
}

llvm::json::Value json(const Found &found) {
  llvm::json::Array moments;
  for (const Moment &moment : found.moments)
    moments.push_back(llvm::json::Array{moment.seconds, moment.behind});
  return llvm::json::Object{
      {"schedule", found.schedule},
      {"seconds", found.seconds},
      {"behind", llvm::json::Array{std::exp(found.behind.lo), std::exp(found.behind.value), std::exp(found.behind.hi)}},
      {"curve", std::move(moments)}};
}

} // namespace

std::string search_header() {
  return "\nThe search on spaces that were measured whole: how much more than the best what it chose costs, cold calls counted as it "
         "counts them.\n" +
         formatv("{0,-72} {1,5} {2,6} {3,6}  {4,-32} {5,-32} {6}\n", "problem", "space", "gain", "noise", "quick", "another seed",
                 "patient")
             .str();
}

std::string search_row(const SearchCell &cell) {
  return formatv("{0,-72} {1,5} {2,5:F2}x {3,4:F1} %  {4,-32} {5,-32} {6}\n", cell.problem, cell.schedules, cell.gain, percent(cell.noise),
                 text(cell.quick), text(cell.other_seed), text(cell.patient));
}

std::string search_summary(const std::vector<SearchCell> &cells) {
  std::string lines = outcome("quick", cells, &SearchCell::quick) + outcome("another seed", cells, &SearchCell::other_seed) +
                      outcome("patient", cells, &SearchCell::patient);
  lines +=
      formatv("two seeds choose within noise of each other on {0} of {1} problems\n", std::ranges::count_if(cells, steady), cells.size());
  lines += "behind the best, in percent at the median, after so many seconds:\n        ";
  for (double time : kTimes)
    lines += formatv(" {0,6:F1}", time);
  return lines + "\n" + curve("quick", cells, &SearchCell::quick) + curve("patient", cells, &SearchCell::patient);
}

std::string false_winners_text(int winners, int runs) {
  return formatv("a kernel against itself: {0} of {1} comparisons declare a winner\n", winners, runs);
}

llvm::json::Value search_json(const std::vector<SearchCell> &cells) {
  llvm::json::Array list;
  for (const SearchCell &cell : cells)
    list.push_back(llvm::json::Object{{"problem", llvm::StringRef(cell.problem)},
                                      {"schedules", int64_t(cell.schedules)},
                                      {"best", cell.best},
                                      {"gain", cell.gain},
                                      {"noise", std::expm1(cell.noise)},
                                      {"quick", json(cell.quick)},
                                      {"other_seed", json(cell.other_seed)},
                                      {"patient", json(cell.patient)},
                                      {"steady", steady(cell)}});
  return list;
}

} // namespace bench
