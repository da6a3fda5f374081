#include "cli/answers.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "autotune/bands.h"
#include "autotune/effects.h"
#include "autotune/shapes.h"
#include "cli/choice.h"
#include "cli/names.h"
#include "cli/output.h"
#include "codegen/hash.h"
#include "codegen/package/selection.h"
#include "dsl/error.h"
#include "dsl/words.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

namespace normforge::cli {
namespace {

/// "rows=1..22": the part of the range that a band serves; "all" where there is one band for everything.
std::string range_text(const Band &band, const SearchResult &result) {
  const int axis = ladder_axis(result.problem);
  if (axis < 0 || result.answer.bands.size() == 1)
    return "all shapes";
  const Extent &range = band.problem.extents[size_t(axis)];
  const std::string name = result.problem.norm->program.axes[size_t(axis)].name;
  if (range.hi == Extent{}.hi)
    return llvm::formatv("{0}={1}..", name, range.lo);
  return llvm::formatv("{0}={1}..{2}", name, range.lo, range.hi);
}

/// What the lines on a problem count.
struct Findings {
  std::set<std::string> schedules;   ///< that were tried
  std::map<std::string, int> causes; ///< of rejections
  int noisy = 0;                     ///< shapes
  double noise = 0;                  ///< the worst floor
  std::string pinned_half;           ///< that the function has by itself
};

Findings findings(const SearchResult &result) {
  Findings found;
  for (const ShapeResult &shape : result.answer.shapes) {
    found.noisy += shape.noisy;
    found.noise = std::max(found.noise, shape.noise);
    for (const Standing &standing : shape.standings)
      found.schedules.insert(standing.schedule);
  }
  for (const Rejection &rejection : result.answer.rejections) {
    ++found.causes[rejection.why.substr(0, rejection.why.find(':'))];
    found.schedules.insert(rejection.schedule);
  }
  found.pinned_half = to_text(pinned_numerics(result.problem, find_target(result.question.target)));
  return found;
}

bool changes_bits(const SearchResult &result) {
  return numerics_half(result.answer.bands.front().schedule) !=
         to_text(pinned_numerics(result.problem, find_target(result.question.target)));
}

} // namespace

std::string counted(size_t count, std::string_view noun) { return llvm::formatv("{0} {1}{2}", count, noun, count == 1 ? "" : "s"); }

std::string summary(const SearchResult &result) {
  const Answer &answer = result.answer;
  const Findings found = findings(result);
  std::string text = to_text(result.problem) + "\n";
  if (!result.complete)
    text += "  not finished\n";
  for (const Band &band : answer.bands) {
    const std::string what = difference(band.schedule, result.question.default_schedule);
    text += llvm::formatv("  {0,-16} {1}\n", range_text(band, result),
                          what == "default" ? what : llvm::formatv("{0:F2}x  {1}", band.gain, what).str());
  }
  if (changes_bits(result))
    text += llvm::formatv("  bits change: the numerics half is '{0}' in place of '{1}', for the whole function\n",
                          numerics_half(answer.bands.front().schedule), found.pinned_half);
  text += "  " + counted(found.schedules.size(), "schedule") + " at " + counted(answer.shapes.size(), "shape");
  if (!answer.shapes.empty())
    text += llvm::formatv(", noise up to {0:F1} %", 100 * std::expm1(found.noise));
  for (const auto &[cause, count] : found.causes)
    text += llvm::formatv(", {0} rejected ({1})", count, cause);
  text += "\n";
  if (found.noisy)
    text +=
        llvm::formatv("  too noisy to tell at {0} of {1}: the default stays there\n", found.noisy, counted(answer.shapes.size(), "shape"));
  return text;
}

llvm::json::Value json(const SearchResult &result) {
  const Findings found = findings(result);
  llvm::json::Array bands;
  for (const Band &band : result.answer.bands)
    bands.push_back(llvm::json::Object{{"problem", to_text(band.problem)}, {"schedule", band.schedule}, {"gain", band.gain}});
  llvm::json::Object causes;
  for (const auto &[cause, count] : found.causes)
    causes[cause] = count;
  return llvm::json::Object{{"problem", to_text(result.problem)},
                            {"target", result.question.target},
                            {"device", result.question.device},
                            {"compiler", result.question.compiler},
                            {"threads", result.question.threads},
                            {"default", result.question.default_schedule},
                            {"complete", result.complete},
                            {"bands", std::move(bands)},
                            {"bits_change", changes_bits(result)},
                            {"schedules", int64_t(found.schedules.size())},
                            {"shapes", int64_t(result.answer.shapes.size())},
                            {"noisy_shapes", found.noisy},
                            {"noise", std::expm1(found.noise)},
                            {"rejected", std::move(causes)}};
}

Question stored_question(const Database &database, const Problem &problem, const RecordFlags &flags) {
  const std::string &device = flags.device;
  const Target &target = chosen_target(flags.target);
  Question question =
      question_for(problem, target, backend_for(target), flags.threads, device.empty() ? fingerprint(this_device()) : device);
  question.numerics = flags.numerics;
  const std::vector<std::string> devices = devices_of(database, question);
  if (std::ranges::find(devices, question.device) == devices.end()) {
    if (devices.empty())
      throw UserError("'" + to_text(problem) + "' for " + question.target + ": the database has no records of it by " + question.compiler +
                      "; measure it with 'normforge tune'");
    if (!device.empty() || devices.size() > 1)
      throw UserError((device.empty() ? "no records of this machine" : "--device " + device + ": no records of it") +
                      "; choose one of: " + joined(devices, "; "));
    question.device = devices.front();
  }
  return question;
}

Database load_database(const std::string &path) {
  if (!std::filesystem::exists(path))
    throw UserError("cannot read '" + path + "': there is no such file; 'normforge tune' makes it");
  return read_database(path, warn);
}

Lockfile read_lockfile(const std::string &path) {
  return std::filesystem::exists(path) ? parse_lockfile(read_file(path), path) : Lockfile{};
}

void put_entries(Lockfile &lock, const Problem &problem, const Target &target, const std::vector<LockEntry> &entries) {
  const std::string norm = hash_text(problem.norm->hash);
  std::erase_if(lock.entries, [&](const LockEntry &entry) {
    return entry.norm == norm && entry.target == target.name &&
           lies_within(parse_problem(entry.problem, problem.norm, "lockfile"), problem);
  });
  lock.entries.insert(lock.entries.end(), entries.begin(), entries.end());
  std::ranges::sort(lock.entries);
}

} // namespace normforge::cli
