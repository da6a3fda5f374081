#include "cli/standings.h"

#include <cmath>
#include <set>

#include "autotune/effects.h"
#include "autotune/shapes.h"
#include "cli/progress.h"
#include "codegen/sweep_plan.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

namespace normforge::cli {
namespace {

using llvm::json::Array;
using llvm::json::Object;

constexpr int kMostEffects = 5;

std::string time_text(double seconds) {
  constexpr std::pair<double, const char *> units[] = {{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {1e-9, "ns"}};
  for (const auto &[unit, name] : units)
    if (seconds >= unit)
      return llvm::formatv("{0:F2} {1}", seconds / unit, name);
  return "0 s";
}

/// Which cache holds so many bytes: "L2".
std::string level_text(int64_t bytes, const Device &device) {
  if (device.gpu())
    return bytes <= device.cache.front() ? "L2" : "memory";
  for (size_t i = 0; i < device.cache.size(); ++i)
    if (bytes <= device.cache[i])
      return "L" + std::to_string(i + 1);
  return "memory";
}

/// What later sweeps read once more, unless a schedule keeps it: in all, and for one kept index, which says where it comes from.
struct Reread {
  int64_t bytes = 0, row_bytes = 0;
};

Reread reread_by_sweeps(const Problem &shape) {
  const SweepPlan plan = make_sweep_plan(shape);
  const Program &program = plan.program();
  Reread again;
  for (const Nest &nest : plan.nests) {
    std::set<int> seen;
    for (const Sweep &sweep : nest.sweeps)
      for (NodeId id : sweep.points) {
        const Node &node = program.node(id);
        if (node.op != Op::tensor || seen.insert(node.symbol).second)
          continue;
        int64_t all = info(*plan.specialized.dtypes[size_t(node.symbol)]).bytes, row = all;
        for (size_t axis = 0; axis < plan.specialized.axes.size(); ++axis)
          if (program.axes_of(program.tensors[size_t(node.symbol)]) & axis_bit(int(axis))) {
            all *= plan.specialized.axes[axis].extent.lo;
            row *= nest.reduced & axis_bit(int(axis)) ? plan.specialized.axes[axis].extent.lo : 1;
          }
        again.bytes += all;
        again.row_bytes = std::max(again.row_bytes, row);
      }
  }
  return again;
}

/// Why a schedule that is faster than the default, or seems so, was not chosen; empty: there is nothing to say.
std::string_view why_not(const ShapeResult &shape, const Standing &standing) {
  if (!standing.confirmed.pairs)
    return "given up in the search";
  const Standing &best = shape.standings[shape.best];
  if (standing.confirmed.value >= 0 || &standing == &best)
    return "";
  if (!wins(shape, standing))
    return loses_cold(shape, standing) ? "loses more when cold" : "within the noise";
  return standing.confirmed.value < best.confirmed.value ? "loses too much when cold" : "";
}

std::string line(const ShapeResult &shape, const Standing &standing, int64_t bytes) {
  const std::string &by_default = shape.standings.front().schedule;
  const bool is_default = standing.schedule == by_default;
  const std::string note(is_default ? "" : why_not(shape, standing));
  const std::string text = llvm::formatv(
      "  {0} {1,-22} {2,10} {3,7:F1} GB/s  {4,-22} {5}{6}\n", &standing == &shape.standings[shape.best] ? "*" : " ",
      is_default ? "1.00x" : gain_text(standing.confirmed.pairs ? standing.confirmed : standing.search), time_text(standing.seconds),
      double(bytes) / standing.seconds / 1e9, is_default || !standing.cold.pairs ? "" : gain_text(standing.cold),
      difference(standing.schedule, by_default), note.empty() ? "" : " (" + note + ")");
  return text;
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

/// Effects of the best schedule's choices that noise does not explain.
std::vector<Effect> clear_effects(const ShapeResult &shape) {
  std::vector<Effect> list = effects(shape, shape.standings[shape.best].schedule);
  std::erase_if(list, [&](const Effect &effect) { return std::fabs(effect.log_ratio) <= shape.noise; });
  return list;
}

llvm::json::Value json(const LogRatio &ratio) {
  if (ratio.pairs < kLeastPairs)
    return nullptr;
  return Object{{"value", std::exp(-ratio.value)}, {"lo", std::exp(-ratio.hi)}, {"hi", std::exp(-ratio.lo)}, {"pairs", ratio.pairs}};
}

} // namespace

std::string text(const ShapeResult &shape, const Device &device, int most) {
  const int64_t bytes = tensor_bytes(shape.shape);
  std::string text = "\n" + to_text(shape.shape) + "\n";
  text += llvm::formatv("  {0} KiB, which {1} holds; noise {2:F1} %", (bytes + 1023) / 1024, level_text(bytes, device),
                        100 * std::expm1(shape.noise));
  text += shape.cold_noise > 0 ? llvm::formatv(", {0:F1} % cold\n", 100 * std::expm1(shape.cold_noise)).str() : "\n";
  if (const Reread again = reread_by_sweeps(shape.shape); again.bytes)
    text += llvm::formatv("  later sweeps read {0} KiB again, {1} KiB a row, which {2} holds\n", (again.bytes + 1023) / 1024,
                          (again.row_bytes + 1023) / 1024, level_text(again.row_bytes, device));
  text += llvm::formatv("    {0,-22} {1,10} {2,12}  {3,-22} {4}\n", device.gpu() ? "cold" : "warm", "time", "rate",
                        device.gpu() ? "" : "cold", "schedule");
  const size_t shown = std::min(size_t(most), shape.standings.size() - 1);
  for (size_t i = 1; i <= shown; ++i)
    text += line(shape, shape.standings[i], bytes);
  text += line(shape, shape.standings.front(), bytes);
  if (const size_t more = shape.standings.size() - 1 - shown)
    text += llvm::formatv("    and {0} more, see --most\n", more);
  text += verdict(shape);
  std::vector<Effect> mattered = clear_effects(shape);
  mattered.resize(std::min(mattered.size(), size_t(kMostEffects)));
  if (!mattered.empty())
    text += shape.best ? "  what mattered, one knob at a time:\n" : "  what matters, one knob at a time:\n";
  for (const Effect &effect : mattered)
    text += llvm::formatv("    {0} instead of {1}: {2:F2}x\n", effect.choice, effect.instead, std::exp(-effect.log_ratio));
  return text;
}

llvm::json::Value json(const ShapeResult &shape) {
  Array standings, mattered;
  for (const Standing &standing : shape.standings) {
    Object object{{"schedule", standing.schedule}, {"seconds", standing.seconds}, {"chosen", false}};
    object["chosen"] = &standing == &shape.standings[shape.best];
    if (&standing != &shape.standings.front()) {
      object["search"] = json(standing.search);
      object["confirmed"] = json(standing.confirmed);
      object["cold"] = json(standing.cold);
      object["why_not"] = std::string(why_not(shape, standing));
    }
    standings.push_back(std::move(object));
  }
  for (const Effect &effect : clear_effects(shape))
    mattered.push_back(Object{{"choice", effect.choice}, {"instead", effect.instead}, {"gain", std::exp(-effect.log_ratio)}});
  return Object{{"problem", to_text(shape.shape)},
                {"bytes", tensor_bytes(shape.shape)},
                {"bytes_read_again", reread_by_sweeps(shape.shape).bytes},
                {"noise", std::expm1(shape.noise)},
                {"cold_noise", std::expm1(shape.cold_noise)},
                {"noisy", shape.noisy},
                {"standings", std::move(standings)},
                {"mattered", std::move(mattered)}};
}

} // namespace normforge::cli
