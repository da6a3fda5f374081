#include "bench/tuned_report.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "dsl/error.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

namespace bench {
namespace {

using llvm::formatv;
using llvm::json::Array;
using llvm::json::Object;
using llvm::json::Value;

std::string inverse(const Ratio &r) { return formatv("{0:F2}x ({1:F2} to {2:F2})", 1 / r.value, 1 / r.hi, 1 / r.lo); }

Value json(const std::optional<Ratio> &r) { return r ? Value(Array{r->lo, r->value, r->hi}) : Value(nullptr); }

std::optional<Ratio> ratio(const Object &line, llvm::StringRef key) {
  const Array *list = line.getArray(key);
  if (!list || list->size() != 3)
    return std::nullopt;
  const auto number = [&](size_t i) { return (*list)[i].getAsNumber().value_or(1); };
  return Ratio{number(1), number(0), number(2)};
}

/// The geometric mean of a ratio's inverse, over the cells that have it.
std::string geometric_mean(const std::vector<TunedCell> &cells, const char *what, auto ratio_of) {
  double logs = 0;
  int count = 0;
  for (const TunedCell &cell : cells)
    if (const std::optional<Ratio> r = ratio_of(cell))
      logs -= std::log(r->value), ++count;
  return count ? formatv("{0}: {1:F2}x in the geometric mean of {2} cells\n", what, std::exp(logs / count), count).str() : "";
}

bool slower(const TunedCell &cell) { return cell.tuned.lo > 1 + cell.noise; }

} // namespace

std::string tuned_header() {
  return "\nTuned kernels: how many times as fast they are as the default ones and as hand-written ones, with 95 % intervals.\n" +
         formatv("{0,-17} {1,-4} {2,11} {3,2} {4,10}  {5,-21} {6,6}  {7,-21} {8,-21} {9}\n", "norm", "type", "shape", "th", "default us",
                 "tuned : default", "noise", "tuned : plain hand", "tuned : best hand", "choices")
             .str();
}

std::string tuned_row(const TunedCell &cell) {
  std::string text = formatv("{0,-17} {1,-4} {2,11} {3,2} {4,10:F2}  {5,-21} {6,4:F1} %  {7,-21} {8,-21} {9}", cell.norm, cell.element,
                             name(cell.shape), cell.threads, cell.seconds * 1e6, inverse(cell.tuned), 100 * cell.noise,
                             cell.hand ? inverse(*cell.hand) : "", cell.best ? inverse(*cell.best) : "", cell.choices);
  if (cell.own)
    text += formatv("; held out: {0} of what tuning these rows gives", inverse(*cell.own));
  return text + (slower(cell) ? "; SLOWER\n" : "\n");
}

std::string tuned_summary(const std::vector<TunedCell> &cells) {
  std::string text = geometric_mean(cells, "tuned against default", [](const TunedCell &cell) { return std::optional(cell.tuned); }) +
                     geometric_mean(cells, "tuned against plain hand-written kernels", [](const TunedCell &cell) { return cell.hand; }) +
                     geometric_mean(cells, "tuned against the best hand-written kernels", [](const TunedCell &cell) { return cell.best; });
  text += formatv("faster than the default beyond noise: {0} of {1} cells; slower: {2}\n",
                  std::ranges::count_if(cells, [](const TunedCell &cell) { return cell.tuned.hi < 1 - cell.noise; }), cells.size(),
                  std::ranges::count_if(cells, slower));
  const auto held_out = std::ranges::count_if(cells, [](const TunedCell &cell) { return cell.own.has_value(); });
  if (held_out)
    text += formatv("rows that were held out: within 5 % of tuning them on {0} of {1} cells, beyond that with certainty on {2}\n",
                    std::ranges::count_if(cells, [](const TunedCell &cell) { return cell.own && cell.own->value <= 1.05; }), held_out,
                    std::ranges::count_if(cells, [](const TunedCell &cell) { return cell.own && cell.own->lo > 1.05; }));
  return text;
}

bool answers(const TunedCell &cell, const TunedCase &of, const normforge::Target &target) {
  return cell.norm == of.norm && cell.element == of.element && cell.shape == of.shape && cell.threads == of.threads &&
         cell.target == target.name;
}

std::vector<TunedCell> read_cells(const std::string &path) {
  std::vector<TunedCell> cells;
  std::ifstream file(path);
  int number = 0;
  for (std::string text; std::getline(file, text);) {
    ++number;
    llvm::Expected<Value> value = llvm::json::parse(text);
    const Object *line = value ? value->getAsObject() : nullptr;
    const auto word = [&](llvm::StringRef key) { return line ? line->getString(key).value_or("").str() : ""; };
    if (!line || word("norm").empty() || !ratio(*line, "tuned_over_default")) {
      llvm::consumeError(value.takeError());
      throw normforge::UserError(path + ":" + std::to_string(number) +
                                 ": is no line of results; remove it, and its cell is measured again");
    }
    const auto integer = [&](llvm::StringRef key) { return line->getInteger(key).value_or(0); };
    TunedCell cell{word("norm"), word("dtype"), {integer("rows"), integer("cols")}, int(integer("threads"))};
    cell.held_out = line->getBoolean("held_out").value_or(false);
    cell.target = word("target");
    cell.seconds = line->getNumber("default_seconds").value_or(0);
    cell.tuned = *ratio(*line, "tuned_over_default");
    cell.noise = line->getNumber("noise").value_or(0);
    cell.choices = word("choices");
    cell.own = ratio(*line, "range_over_own");
    cell.hand = ratio(*line, "tuned_over_plain_hand_written");
    cell.best = ratio(*line, "tuned_over_best_hand_written");
    cell.best_hand = word("best_hand_written");
    cells.push_back(std::move(cell));
  }
  return cells;
}

void append_cell(const std::string &path, const TunedCell &cell) {
  std::ofstream file(path, std::ios::app);
  file << formatv("{0}\n", Value(Object{{"norm", cell.norm},
                                        {"dtype", cell.element},
                                        {"rows", cell.shape.rows},
                                        {"cols", cell.shape.cols},
                                        {"threads", cell.threads},
                                        {"held_out", cell.held_out},
                                        {"target", cell.target},
                                        {"default_seconds", cell.seconds},
                                        {"tuned_over_default", json(cell.tuned)},
                                        {"noise", cell.noise},
                                        {"choices", cell.choices},
                                        {"range_over_own", json(cell.own)},
                                        {"tuned_over_plain_hand_written", json(cell.hand)},
                                        {"tuned_over_best_hand_written", json(cell.best)},
                                        {"best_hand_written", cell.best_hand}}))
              .str();
  file.close();
  if (!file)
    throw normforge::UserError(path + ": cannot be written");
}

} // namespace bench
