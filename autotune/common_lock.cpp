#include "autotune/common_lock.h"

#include <string>
#include <string_view>

namespace normforge {
namespace {

struct CommonFile {
  std::string_view name, text;
};
constexpr CommonFile kCommonFiles[] = {
#include "autotune/common_locks.inc"
};

} // namespace

const std::vector<Lockfile> &common_lockfiles() {
  static const std::vector<Lockfile> lockfiles = [] {
    std::vector<Lockfile> parsed;
    for (const CommonFile &file : kCommonFiles)
      parsed.push_back(parse_lockfile(file.text, "autotune/locks/" + std::string(file.name)));
    return parsed;
  }();
  return lockfiles;
}

const Lockfile &common_lockfile(const Device *device) {
  static const Lockfile none;
  const Lockfile *found = &none;
  for (const Lockfile &lockfile : common_lockfiles()) {
    if (lockfile.entries.empty())
      continue;
    if (!device)
      return lockfile;
    const Device measured = parse_fingerprint(lockfile.entries.front().device);
    if (!same_class(*device, measured))
      continue;
    if (measured.name == device->name)
      return lockfile;
    if (found == &none)
      found = &lockfile;
  }
  return *found;
}

} // namespace normforge
