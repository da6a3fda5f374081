#include "tests/cuda/ptx_accesses.h"

#include <cstddef>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

namespace normforge::testing {
namespace {

constexpr size_t kItemParameters = 2; ///< before those of Launch::parameters
constexpr int kBulk = 16;

/// Parameters of a step that are tensors: by number, which.
std::map<size_t, size_t> tensor_parameters(const Launch &launch) {
  std::map<size_t, size_t> tensors;
  constexpr size_t first = offsetof(nf_kernel_args, tensors), end = first + sizeof(nf_kernel_args::tensors);
  for (size_t i = 0; i < launch.parameters.size(); ++i)
    if (launch.parameters[i] >= first && launch.parameters[i] < end)
      tensors[kItemParameters + i] = (launch.parameters[i] - first) / sizeof(void *);
  return tensors;
}

/// An instruction's words: what it does, and its registers, the first of which it writes.
struct Line {
  std::string text;
  std::vector<std::string> registers;
};

std::vector<Line> lines_of(const std::string &ptx, const std::string &symbol) {
  const size_t begin = ptx.find(".entry " + symbol + "("), end = ptx.find(".entry ", begin + 1);
  std::vector<Line> lines;
  static const std::regex address("%rd[0-9]+");
  std::istringstream body(ptx.substr(begin, end - begin));
  for (std::string text; std::getline(body, text, ';');) {
    Line line{text.substr(text.rfind('\n', text.find_last_not_of(" \n\t")) + 1), {}};
    for (std::sregex_iterator found(line.text.begin(), line.text.end(), address); found != std::sregex_iterator(); ++found)
      line.registers.push_back(found->str());
    lines.push_back(std::move(line));
  }
  return lines;
}

} // namespace

PtxAccesses accesses_of(const Kernel &kernel, const Step &step) {
  const std::vector<Line> lines = lines_of(kernel.object, step.symbol);
  const std::map<size_t, size_t> tensors = tensor_parameters(step.launch);
  static const std::regex parameter("ld\\.param\\.b64\\s+(%rd[0-9]+), \\[\\w+_param_([0-9]+)\\]");
  static const std::regex passes_on("^\\s*(@!?%p[0-9]+\\s+)?(mov|add|sub|mad|cvta|selp|min|max|or)[.]");
  std::map<std::string, std::set<size_t>> origin; // of registers
  std::smatch found;
  for (const Line &line : lines)
    if (std::regex_search(line.text, found, parameter) && tensors.contains(std::stoul(found[2])))
      origin[found[1]].insert(tensors.at(std::stoul(found[2])));
  for (bool changed = true; changed;) {
    changed = false;
    for (const Line &line : lines)
      if (line.registers.size() > 1 && std::regex_search(line.text, passes_on))
        for (size_t i = 1; i < line.registers.size(); ++i)
          for (size_t tensor : std::set(origin[line.registers[i]]))
            changed |= origin[line.registers[0]].insert(tensor).second;
  }

  PtxAccesses accesses;
  static const std::regex access("\\b(ld|st)\\.(global|shared)[a-z:.]*?(?:\\.v([248]))?\\.[bfus](\\d+)\\s[^\\[]*\\[(%\\w+)");
  static const std::regex copy("cp\\.async\\.c[ag]\\.shared\\.global \\[[^\\]]*\\], \\[(%rd[0-9]+)[^\\]]*\\], (\\d+)");
  static const std::regex bulk("cp\\.async\\.bulk\\.shared[^\\[]*\\[[^\\]]*\\], \\[(%rd[0-9]+)");
  for (const Line &line : lines) {
    if (std::regex_search(line.text, found, access)) {
      const int width = (found[3].matched ? std::stoi(found[3]) : 1) * std::stoi(found[4]) / 8;
      const bool store = found[1] == "st";
      if (found[2] == "shared")
        (store ? accesses.shared_stores : accesses.shared_loads)[width] += width;
      else
        for (size_t tensor : origin[found[5]])
          (store ? accesses.stores : accesses.loads)[tensor][width] += width;
    } else if (std::regex_search(line.text, found, copy)) {
      for (size_t tensor : origin[found[1]])
        accesses.loads[tensor][std::stoi(found[2])] += std::stoi(found[2]);
    } else if (std::regex_search(line.text, found, bulk)) {
      for (size_t tensor : origin[found[1]])
        accesses.loads[tensor][kBulk] += kBulk;
    }
  }
  return accesses;
}

} // namespace normforge::testing
