// A Record's line has its key's fields, then `rejected` where it is, `deviation`, and `samples`; a flag is there where it is set. Numbers
// are the shortest decimals that read back as the same doubles, so that a Record has one text.
#include "autotune/record.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <tuple>

#include "autotune/checked_line.h"
#include "codegen/hash.h"
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

constexpr llvm::StringRef kRegimes[] = {"warm", "cold"}; ///< by Regime

constexpr std::pair<StringLiteral, std::string RecordKey::*> kKeyFields[] = {
    {"norm", &RecordKey::norm}, {"problem", &RecordKey::problem},   {"target", &RecordKey::target}, {"schedule", &RecordKey::schedule},
    {"code", &RecordKey::code}, {"compiler", &RecordKey::compiler}, {"device", &RecordKey::device},
};
constexpr std::pair<StringLiteral, bool Samples::*> kFlags[] = {{"confirms", &Samples::confirms}, {"twin", &Samples::twin}};

/// What Samples are of: no two of a Record share it.
auto identity(const Samples &s) { return std::tuple(s.run, s.regime, s.threads, s.confirms, s.twin); }

/// What is wrong with a Record's values, or nothing.
std::string_view flaw(const Record &record) {
  if (!(record.deviation >= 0 && std::isfinite(record.deviation)))
    return "deviation: expected a number from 0 on";
  if (std::ranges::adjacent_find(record.samples, std::greater_equal(), identity) != record.samples.end())
    return "samples: expected them sorted, and those of one run together";
  for (const Samples &samples : record.samples) {
    if (samples.threads < 1)
      return "threads: expected 1 or more";
    if (samples.rounds.empty() || samples.rounds.size() != samples.seconds.size())
      return "rounds: expected as many as seconds, and one at least";
    if (samples.rounds.front() < 0 || std::ranges::adjacent_find(samples.rounds, std::greater_equal()) != samples.rounds.end())
      return "rounds: expected increasing numbers from 0 on";
    if (!std::ranges::all_of(samples.seconds, [](double s) { return s > 0 && std::isfinite(s); }))
      return "seconds: expected numbers above 0";
  }
  return {};
}

void write_samples(OStream &json, const Samples &samples) {
  json.attribute("run", hash_text(samples.run));
  json.attribute("regime", kRegimes[size_t(samples.regime)]);
  json.attribute("threads", samples.threads);
  for (const auto &[name, flag] : kFlags)
    if (samples.*flag)
      json.attribute(name, true);
  json.attributeArray("rounds", [&] {
    for (int round : samples.rounds)
      json.value(round);
  });
  json.attributeArray("seconds", [&] {
    for (double seconds : samples.seconds)
      json.rawValue(number_text(seconds));
  });
}

bool parse_run(std::string_view digits, uint64_t &run) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), run, 16);
  return digits.size() == 16 && error == std::errc() && end == digits.data() + digits.size();
}

} // namespace

// Beside the types, where llvm::json finds them.
static bool fromJSON(const Value &value, Samples &samples, Path path) {
  ObjectMapper map(value, path);
  std::string run, regime;
  if (!map || !map.map("run", run) || !map.map("regime", regime) || !map.map("threads", samples.threads) ||
      !map.map("rounds", samples.rounds) || !map.map("seconds", samples.seconds))
    return false;
  for (const auto &[name, flag] : kFlags)
    if (!map.mapOptional(name, samples.*flag))
      return false;
  const auto known = std::ranges::find(kRegimes, regime);
  if (known == std::end(kRegimes))
    path.field("regime").report("expected warm or cold");
  else if (!parse_run(run, samples.run))
    path.field("run").report("expected 16 hexadecimal digits");
  else
    return samples.regime = Regime(known - kRegimes), true;
  return false;
}

static bool fromJSON(const Value &value, Record &record, Path path) {
  ObjectMapper map(value, path);
  if (!map)
    return false;
  for (const auto &[name, field] : kKeyFields)
    if (!map.map(name, record.key.*field))
      return false;
  return map.mapOptional("rejected", record.rejected) && map.map("deviation", record.deviation) && map.map("samples", record.samples);
}

std::string to_line(const Record &record) {
  internal_check(flaw(record).empty());
  std::string text;
  llvm::raw_string_ostream stream(text);
  OStream json(stream);
  json.object([&] {
    for (const auto &[name, field] : kKeyFields)
      json.attribute(name, llvm::json::fixUTF8(record.key.*field));
    if (!record.rejected.empty())
      json.attribute("rejected", llvm::json::fixUTF8(record.rejected));
    json.attributeBegin("deviation");
    json.rawValue(number_text(record.deviation));
    json.attributeEnd();
    json.attributeArray("samples", [&] {
      for (const Samples &samples : record.samples)
        json.object([&] { write_samples(json, samples); });
    });
  });
  return checked_line(text);
}

Record parse_record(std::string_view line) {
  llvm::Expected<Record> record = llvm::json::parse<Record>(checked_object(line));
  if (!record)
    throw UserError("no Record: " + llvm::toString(record.takeError()));
  if (const std::string_view what = flaw(*record); !what.empty())
    throw UserError("no Record: " + std::string(what));
  return std::move(*record);
}

Record merge(const Record &a, const Record &b) {
  internal_check(a.key == b.key);
  Record merged{a.key};
  // Of two causes or times that cannot both be right, any rule serves that doesn't ask which came first.
  merged.rejected = a.rejected.empty() || b.rejected.empty() ? a.rejected + b.rejected : std::min(a.rejected, b.rejected);
  merged.deviation = std::max(a.deviation, b.deviation);
  std::map<decltype(identity({})), std::map<int, double>> seconds;
  for (const Record *record : {&a, &b})
    for (const Samples &samples : record->samples)
      for (size_t i = 0; i < samples.rounds.size(); ++i) {
        const auto [at, added] = seconds[identity(samples)].try_emplace(samples.rounds[i], samples.seconds[i]);
        at->second = std::min(at->second, samples.seconds[i]);
      }
  for (const auto &[key, by_round] : seconds) {
    Samples &samples = merged.samples.emplace_back();
    std::tie(samples.run, samples.regime, samples.threads, samples.confirms, samples.twin) = key;
    for (const auto &[round, time] : by_round) {
      samples.rounds.push_back(round);
      samples.seconds.push_back(time);
    }
  }
  return merged;
}

} // namespace normforge
