// normforge devices: the machine that measures, as Records and lockfiles name it: its CPU, and its GPU where it has one.
#include <cmath>
#include <optional>

#include "autotune/bandwidth.h"
#include "autotune/machine.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "dsl/error.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

namespace normforge::cli {
namespace {

/// The GPU that 'normforge tune' measures on; nothing where there is none, or none that its driver gives.
std::optional<Device> gpu() {
  try {
    return this_gpu().device();
  } catch (const UserError &) {
    return std::nullopt;
  }
}

llvm::json::Object json_of(const Device &gpu) {
  return llvm::json::Object{
      {"fingerprint", fingerprint(gpu)}, {"name", gpu.name},           {"level", gpu.level},          {"multiprocessors", gpu.cores},
      {"l2_bytes", gpu.cache.front()},   {"clock_mhz", gpu.clock_mhz}, {"cuda_of_driver", gpu.driver}};
}

void devices(bool json) {
  const Device device = this_device();
  const std::optional<Device> gpu = cli::gpu();
  const std::vector<Bandwidth> bandwidths = measure_bandwidth(device);
  const double noise = std::expm1(measure_noise_floor());
  if (json) {
    llvm::json::Array levels, caches;
    for (const Bandwidth &each : bandwidths)
      levels.push_back(llvm::json::Object{{"level", each.level}, {"bytes", each.bytes}, {"bytes_per_second", each.bytes_per_second}});
    for (int64_t bytes : device.cache)
      caches.push_back(bytes);
    llvm::json::Object report{{"fingerprint", fingerprint(device)},
                              {"cpu", device.name},
                              {"level", device.level},
                              {"cores", device.cores},
                              {"caches", std::move(caches)},
                              {"bandwidth", std::move(levels)},
                              {"noise", noise}};
    if (gpu)
      report["gpu"] = json_of(*gpu);
    return print_json(std::move(report));
  }
  std::string text = fingerprint(device) + "\n";
  for (const Bandwidth &each : bandwidths)
    text +=
        llvm::formatv("  {0,-7} {1,6:F1} GB/s  copying {2} KiB on one thread\n", each.level, each.bytes_per_second / 1e9, each.bytes >> 10);
  text += llvm::formatv("  noise   {0,6:F1} %     what one piece of work differs from itself by\n", 100 * noise);
  if (gpu)
    text += fingerprint(*gpu) + "\n";
  print(text);
}

} // namespace

void add_devices(CLI::App &program) {
  CLI::App *verb = program.add_subcommand("devices", "The machine that 'normforge tune' measures on: caches, bandwidth, noise; its GPU");
  verb->footer("A schedule that was tuned on another machine serves where level and class of caches are the same.\n"
               "Example:\n"
               "  normforge devices --json");
  auto json = std::make_shared<bool>(false);
  verb->add_flag("--json", *json, "As JSON");
  verb->callback([json] { devices(*json); });
}

} // namespace normforge::cli
