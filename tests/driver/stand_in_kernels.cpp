#include "tests/driver/stand_in_kernels.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>

#include "codegen/backend.h"
#include "codegen/emulator.h"
#include "codegen/hash.h"
#include "codegen/kernel_file.h"
#include "codegen/resources.h"

namespace normforge::testing {
namespace {

/// A line of the file.
struct Words {
  std::string target, problem, schedule, hash;
};

struct Line {
  const Target *target;
  SweepPlan plan;
  Schedule schedule;
  Kernel kernel; ///< PTX, and once it is asked for the cubin
};

constexpr char kEntry[] = "kernel"; ///< what packaging calls entry points

Words words_of(const std::string &text) {
  Words words;
  std::istringstream stream(text);
  for (std::string *word : {&words.target, &words.problem, &words.schedule, &words.hash})
    std::getline(stream, *word, '\t');
  return words;
}

/// What the words say, not compiled yet.
Line line_of(const Words &words) {
  Line line{.target = &find_target(words.target), .plan = make_sweep_plan(parse_problem(words.problem))};
  const Backend &backend = backend_for(*line.target);
  line.schedule = parse_schedule(words.schedule, backend.knobs(), backend.default_schedule(line.plan, *line.target));
  return line;
}

Line compile(const Words &words) {
  Line line = line_of(words);
  line.kernel = backend_for(*line.target).compile(line.plan, line.schedule, *line.target, kEntry);
  return line;
}

/// Reads no further than they are equal.
bool is_cubin_of(const Kernel &kernel, const char *image) {
  return !kernel.image.empty() && std::mismatch(kernel.image.begin(), kernel.image.end(), image).first == kernel.image.end();
}

bool is_image(Line &line, const char *image) {
  if (!is_cubin(image))
    return line.kernel.object == image;
  if (line.kernel.image.empty())
    line.kernel.image = cubin_of(line.kernel, *line.target, find_ptxas()).code;
  return is_cubin_of(line.kernel, image);
}

std::shared_ptr<const StandInKernel> ready(const Line &line) {
  return std::make_shared<StandInKernel>(line.target, line.kernel,
                                         LoadedKernel(compile_for_emulator(line.plan, line.schedule, *line.target, kEntry)));
}

/// The kernel of that image among the files of a cache.
std::shared_ptr<const StandInKernel> cached_kernel(const std::string &directory, const char *image) {
  for (const auto &entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file())
      continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::optional<Kernel> kernel = parse_kernel(std::string(std::istreambuf_iterator<char>(file), {}));
    if (!kernel || !(is_cubin(image) ? is_cubin_of(*kernel, image) : kernel->object == image))
      continue;
    Line line = line_of({kernel->target, kernel->problem, kernel->schedule, ""});
    line.kernel = *kernel;
    return ready(line);
  }
  return nullptr;
}

} // namespace

std::shared_ptr<const StandInKernel> kernel_of_image(const char *image) {
  static std::mutex mutex;
  static std::map<std::string, Line> lines; // by text
  const char *path = std::getenv("NORMFORGE_STAND_IN_KERNELS");
  if (path && std::filesystem::is_directory(path))
    return cached_kernel(path, image);
  std::ifstream file(path ? path : "");
  const std::lock_guard lock(mutex);
  for (std::string text; std::getline(file, text);) {
    const Words words = words_of(text);
    if (!words.hash.empty() && !is_cubin(image) && words.hash != hash_text(hash_of(image)))
      continue;
    auto at = lines.find(text);
    if (at == lines.end())
      at = lines.emplace(text, compile(words)).first;
    Line &line = at->second;
    if (is_image(line, image))
      return ready(line);
  }
  return nullptr;
}

} // namespace normforge::testing
