#include "autotune/device.h"

#include <cpuid.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "codegen/target.h"
#include "dsl/error.h"

namespace normforge {
namespace {

/// The processor brand string (Intel SDM, CPUID leaves 0x80000002 to 0x80000004), with single spaces.
std::string processor_name() {
  unsigned words[12] = {};
  for (unsigned i = 0; i < 3; ++i)
    __get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]);
  char brand[sizeof words + 1] = {};
  std::memcpy(brand, words, sizeof words);
  std::string name;
  for (const char *c = brand; *c; ++c)
    if (*c != ' ' || (!name.empty() && name.back() != ' '))
      name += *c;
  while (!name.empty() && name.back() == ' ')
    name.pop_back();
  return name.empty() ? "unknown processor" : name;
}

std::vector<int64_t> data_caches() {
  std::vector<int64_t> bytes;
  for (int level : {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE})
    if (const long size = sysconf(level); size > 0)
      bytes.push_back(size);
  return bytes;
}

int usable_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    return CPU_COUNT(&set);
  return int(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
}

constexpr std::pair<char, int64_t> kUnits[] = {{'G', 1 << 30}, {'M', 1 << 20}, {'K', 1 << 10}};

std::string size_text(int64_t bytes) {
  for (const auto &[letter, unit] : kUnits)
    if (bytes >= unit && bytes % unit == 0)
      return std::to_string(bytes / unit) + letter;
  return std::to_string(bytes);
}

[[noreturn]] void refuse(std::string_view text) {
  throw UserError("device: got '" + std::string(text) + "', expected a fingerprint such as 'x86-64-v3 32K/512K/32M 8 cores AMD Ryzen 7'");
}

/// Takes the text up to `end` off `rest`.
std::string_view take(std::string_view &rest, char end) {
  const size_t at = std::min(rest.find(end), rest.size());
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return taken;
}

int64_t parse_number(std::string_view text, std::string_view whole, int64_t most, int64_t least = 1) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
    refuse(whole);
  return value;
}

} // namespace

Device this_device() { return {processor_name(), std::string(host_target().name), data_caches(), usable_cores()}; }

std::string fingerprint(const Device &device) {
  std::string caches;
  for (int64_t bytes : device.cache)
    caches += (caches.empty() ? "" : "/") + size_text(bytes);
  const std::string kind = device.gpu() ? " multiprocessors " + std::to_string(device.clock_mhz) + " MHz CUDA " + device.driver : " cores";
  return device.level + " " + (caches.empty() ? "-" : caches) + " " + std::to_string(device.cores) + kind + " " + device.name;
}

Device parse_fingerprint(std::string_view text) {
  std::string_view rest = text;
  Device device;
  device.level = take(rest, ' ');
  std::string_view caches = take(rest, ' ');
  while (!caches.empty() && caches != "-") {
    std::string_view size = take(caches, '/');
    int64_t unit = 1;
    for (const auto &[letter, bytes] : kUnits)
      if (size.ends_with(letter))
        unit = bytes;
    if (unit > 1)
      size.remove_suffix(1);
    device.cache.push_back(parse_number(size, text, (int64_t(1) << 40) / unit) * unit);
  }
  device.cores = int(parse_number(take(rest, ' '), text, 1 << 20));
  if (const std::string_view kind = take(rest, ' '); kind == "multiprocessors") {
    device.clock_mhz = int(parse_number(take(rest, ' '), text, 1 << 20, 0));
    if (take(rest, ' ') != "MHz" || take(rest, ' ') != "CUDA")
      refuse(text);
    if (device.driver = take(rest, ' '); device.driver.empty())
      refuse(text);
  } else if (kind != "cores") {
    refuse(text);
  }
  if (device.level.empty() || rest.empty())
    refuse(text);
  device.name = rest;
  return device;
}

bool same_class(const Device &mine, const Device &other) {
  const auto alike = [](int64_t a, int64_t b) { return a <= 2 * b && b <= 2 * a; };
  return mine.gpu() == other.gpu() && std::ranges::equal(mine.cache, other.cache, alike) && (!mine.gpu() || alike(mine.cores, other.cores));
}

} // namespace normforge
