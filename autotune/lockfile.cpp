#include "autotune/lockfile.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "autotune/checked_line.h"
#include "dsl/error.h"
#include "dsl/norm.h"
#include "llvm/Support/JSON.h"

using llvm::StringLiteral;
using llvm::json::ObjectMapper;
using llvm::json::OStream;
using llvm::json::Path;
using llvm::json::Value;

namespace normforge {
namespace {

/// The first line.
struct Heading {
  int version = 1;
  int64_t entries = 0;
};

bool fromJSON(const Value &value, Heading &heading, Path path) {
  ObjectMapper map(value, path);
  return map && map.map("lockfile", heading.version) && map.map("entries", heading.entries);
}

constexpr std::pair<StringLiteral, std::string LockEntry::*> kFields[] = {
    {"problem", &LockEntry::problem}, {"target", &LockEntry::target},     {"schedule", &LockEntry::schedule},
    {"norm", &LockEntry::norm},       {"compiler", &LockEntry::compiler}, {"device", &LockEntry::device},
};

auto place(const LockEntry &entry) { return std::tie(entry.problem, entry.target); }

std::string line_of(llvm::function_ref<void(OStream &)> write) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  OStream json(stream);
  json.object([&] { write(json); });
  return checked_line(text) + "\n";
}

} // namespace

// Beside the type, where llvm::json finds it.
static bool fromJSON(const Value &value, LockEntry &entry, Path path) {
  ObjectMapper map(value, path);
  if (!map)
    return false;
  for (const auto &[name, field] : kFields)
    if (!map.map(name, entry.*field))
      return false;
  if (!map.map("gain", entry.gain) || !map.mapOptional("pins_numerics", entry.pins_numerics))
    return false;
  if (entry.gain > 0 && std::isfinite(entry.gain))
    return true;
  path.field("gain").report("expected a number above 0");
  return false;
}

Lockfile parse_lockfile(std::string_view text, const std::string &path) {
  size_t number = 0;
  const auto fail = [&](const std::string &what) -> UserError {
    return UserError(path + ":" + std::to_string(number) + ": " + what + "; take the lockfile from where it was whole, or tune again");
  };
  const auto next = [&]<class T>(T) {
    ++number;
    const size_t end = text.find('\n');
    if (text.empty() || end == text.npos)
      throw fail(text.empty() ? "expected another line, found the end" : "incomplete: it has no end");
    try {
      llvm::Expected<T> read = llvm::json::parse<T>(checked_object(text.substr(0, end)));
      if (!read)
        throw UserError(llvm::toString(read.takeError()));
      text.remove_prefix(end + 1);
      return std::move(*read);
    } catch (const UserError &error) {
      throw fail(error.what());
    }
  };
  const Heading heading = next(Heading());
  if (heading.version != 1)
    throw fail("expected lockfile 1, found " + std::to_string(heading.version));
  Lockfile lockfile;
  for (int64_t i = 0; i < heading.entries; ++i) {
    lockfile.entries.push_back(next(LockEntry()));
    if (i > 0 && place(lockfile.entries[size_t(i)]) <= place(lockfile.entries[size_t(i) - 1]))
      throw fail("expected problems and targets in order, each once");
  }
  ++number;
  if (!text.empty())
    throw fail("expected the end after " + std::to_string(heading.entries) + " entries");
  return lockfile;
}

std::string to_text(const Lockfile &lockfile) {
  internal_check(std::ranges::adjacent_find(lockfile.entries, std::greater_equal(), place) == lockfile.entries.end());
  std::string text = line_of([&](OStream &json) {
    json.attribute("lockfile", Heading().version);
    json.attribute("entries", int64_t(lockfile.entries.size()));
  });
  for (const LockEntry &entry : lockfile.entries)
    text += line_of([&](OStream &json) {
      for (const auto &[name, field] : kFields)
        json.attribute(name, llvm::json::fixUTF8(entry.*field));
      json.attributeBegin("gain");
      json.rawValue(number_text(entry.gain));
      json.attributeEnd();
      if (entry.pins_numerics)
        json.attribute("pins_numerics", true);
    });
  return text;
}

} // namespace normforge
