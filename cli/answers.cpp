#include "cli/answers.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "autotune/shapes.h"
#include "cli/names.h"
#include "cli/output.h"
#include "codegen/hash.h"
#include "dsl/error.h"
#include "dsl/words.h"
#include "llvm/Support/FormatVariadic.h"

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

} // namespace

std::string summary(const SearchResult &result) {
  std::string text = to_text(result.problem) + "\n";
  const Answer &answer = result.answer;
  std::string default_schedule;
  for (const ShapeResult &shape : answer.shapes)
    default_schedule = shape.standings.front().schedule;
  if (!result.complete)
    text += "  not finished\n";
  for (const Band &band : answer.bands) {
    const bool stays = answer.shapes.empty() || band.schedule == default_schedule;
    const std::string mapping = band.schedule.substr(band.schedule.find('|') + 2);
    text += llvm::formatv("  {0,-14} {1}  {2}\n", range_text(band, result),
                          stays ? "default  " : llvm::formatv("{0:F2}x    ", band.gain).str(), stays ? "" : mapping);
  }
  int noisy = 0;
  double worst = 0;
  for (const ShapeResult &shape : answer.shapes)
    noisy += shape.noisy, worst = std::max(worst, shape.noise);
  text += llvm::formatv("  {0} candidates at {1} shapes, noise up to {2:F1} %", result.candidates, answer.shapes.size(),
                        100 * std::expm1(worst));
  std::map<std::string, int> causes;
  for (const Rejection &rejection : answer.rejections)
    ++causes[rejection.why.substr(0, rejection.why.find(':'))];
  for (const auto &[cause, count] : causes)
    text += llvm::formatv(", {0} rejected ({1})", count, cause);
  text += "\n";
  if (noisy)
    text += llvm::formatv("  too noisy to tell at {0} of {1} shapes: the default stays there\n", noisy, answer.shapes.size());
  return text;
}

Question stored_question(const Database &database, const Problem &problem, const Target &target, int threads, const std::string &device,
                         const std::string &directory) {
  Question question =
      question_for(problem, target, backend_for(target), threads, device.empty() ? fingerprint(this_device()) : device, directory);
  const std::vector<std::string> devices = devices_of(database, question);
  if (std::ranges::find(devices, question.device) != devices.end())
    return question;
  if (devices.empty())
    throw UserError("'" + to_text(problem) + "' for " + question.target + ": the database has no records of it by " + question.compiler +
                    "; measure it with 'normforge tune'");
  if (!device.empty() || devices.size() > 1)
    throw UserError((device.empty() ? "no records of this machine" : "--device " + device + ": no records of it") +
                    "; choose one of: " + joined(devices, "; "));
  question.device = devices.front();
  return question;
}

Database load_database(const std::string &path) {
  if (!std::filesystem::exists(path))
    throw UserError("cannot read '" + path + "': there is no such file; 'normforge tune' makes it");
  return read_database(path, [](const std::string &warning) { std::fprintf(stderr, "normforge: %s\n", warning.c_str()); });
}

Lockfile read_lockfile(const std::string &path) {
  return std::filesystem::exists(path) ? parse_lockfile(read_file(path), path) : Lockfile{};
}

void put_entries(Lockfile &lock, const Problem &problem, const Target &target, const std::vector<LockEntry> &entries) {
  const std::string norm = hash_text(problem.norm->hash);
  std::erase_if(lock.entries, [&](const LockEntry &entry) {
    return entry.norm == norm && entry.target == target.name && lies_within(parse_problem(entry.problem, "lockfile"), problem);
  });
  lock.entries.insert(lock.entries.end(), entries.begin(), entries.end());
  std::ranges::sort(lock.entries);
}

} // namespace normforge::cli
