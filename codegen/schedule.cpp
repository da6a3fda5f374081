#include "codegen/schedule.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

#include "dsl/error.h"
#include "dsl/words.h"

namespace normforge {
namespace {

constexpr std::string_view kAlgorithms[] = {"two_pass", "chunked"};
constexpr std::string_view kOffOn[] = {"off", "on"};
constexpr std::string_view kFold[] = {"low", "high"};

/// The numerics half as a table like a backend's, so that both halves are read and written by the same code.
constexpr int64_t kLanes[] = {32, 1, 2, 4, 8, 16, 64, 128, 256, 512, 1024, 2048, 4096, kMostLanes};
constexpr int64_t kChunk[] = {1024, 32, 64, 128, 256, 512, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144};
constexpr int64_t kBoth[] = {0, 1};
constexpr Knob kNumerics[] = {
    {"lanes", "partial sums per row; element j adds into lane j mod lanes", kLanes, {}},
    {"chunk", "elements that are added before partial sums merge in a binary tree", kChunk, {}},
    {"fold", "which half of the lanes folds first", kBoth, kFold},
    {"fma", "fused multiply-adds", kBoth, kOffOn},
};

std::array<int64_t, std::size(kNumerics)> numerics_values(const Numerics &n) { return {n.lanes, n.chunk, n.fold_high, n.fma}; }

std::string value_text(const Knob &knob, int64_t value) {
  if (!knob.words.empty())
    return std::string(knob.words[size_t(value)]);
  constexpr int64_t kilo = 1024, mega = kilo * kilo;
  if (value >= 16 * kilo && value % mega == 0)
    return std::to_string(value / mega) + "M";
  if (value >= 16 * kilo && value % kilo == 0)
    return std::to_string(value / kilo) + "K";
  return std::to_string(value);
}

std::string allowed(const Knob &knob) {
  std::vector<int64_t> values(knob.values.begin(), knob.values.end());
  std::ranges::sort(values);
  std::string list;
  for (int64_t value : values)
    list += (list.empty() ? "" : ", ") + value_text(knob, value);
  return list;
}

bool is_power_of_two(int64_t value) { return value > 0 && std::has_single_bit(uint64_t(value)); }
bool are_powers_of_two(std::span<const int64_t> values) { return std::ranges::all_of(values, is_power_of_two); }

int64_t parse_value(const Knob &knob, std::string_view text) {
  const auto refuse = [&](const std::string &got) -> UserError {
    return UserError("schedule: " + std::string(knob.name) + "=" + std::string(text) + ": " + got + ", expected one of " + allowed(knob));
  };
  if (!knob.words.empty()) {
    const auto at = std::ranges::find(knob.words, text);
    if (at == knob.words.end())
      throw refuse("unknown value");
    return at - knob.words.begin();
  }
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view suffix(end, size_t(text.data() + text.size() - end));
  const int64_t unit = suffix == "K" ? 1 << 10 : suffix == "M" ? 1 << 20 : suffix.empty() ? 1 : 0;
  if (error != std::errc() || unit == 0 || __builtin_mul_overflow(value, unit, &value))
    throw refuse("not a number");
  if (std::ranges::find(knob.values, value) == knob.values.end())
    throw refuse(are_powers_of_two(knob.values) && !is_power_of_two(value) ? "not a power of two" : "out of reach");
  return value;
}

/// Reads `name=value` into `choices` if `knobs` has the name.
bool assign(std::string_view word, std::span<const Knob> knobs, MappingChoices &choices) {
  const size_t equals = word.find('=');
  for (size_t i = 0; i < knobs.size(); ++i)
    if (knobs[i].name == word.substr(0, equals)) {
      choices[i] = parse_value(knobs[i], equals == word.npos ? std::string_view() : word.substr(equals + 1));
      return true;
    }
  return false;
}

[[noreturn]] void unknown_word(std::string_view word, std::span<const Knob> mapping) {
  const std::string name(word.substr(0, word.find('=')));
  std::vector<std::string> names(std::begin(kAlgorithms), std::end(kAlgorithms));
  for (std::span<const Knob> table : {std::span<const Knob>(kNumerics), mapping})
    for (const Knob &knob : table)
      names.emplace_back(knob.name);
  throw UserError("schedule: " + unknown_name("knob", name, names));
}

std::string words(std::span<const Knob> knobs, std::span<const int64_t> values) {
  std::string text;
  for (size_t i = 0; i < knobs.size(); ++i)
    text += " " + to_text(knobs[i], values[i]);
  return text;
}

/// What a text says: of both halves, by row of their tables.
struct Said {
  std::optional<Numerics::Algorithm> algorithm;
  MappingChoices numerics, mapping;
};

Said read(std::string_view text, std::span<const Knob> knobs) {
  Said said{{}, MappingChoices(std::size(kNumerics)), MappingChoices(knobs.size())};
  for (size_t at = 0; at < text.size();) {
    const size_t begin = text.find_first_not_of(" \t\n|", at);
    if (begin == text.npos)
      break;
    at = std::min(text.find_first_of(" \t\n|", begin), text.size());
    const std::string_view word = text.substr(begin, at - begin);
    if (const auto algorithm = std::ranges::find(kAlgorithms, word); algorithm != std::end(kAlgorithms))
      said.algorithm = Numerics::Algorithm(algorithm - kAlgorithms);
    else if (!assign(word, kNumerics, said.numerics) && !assign(word, knobs, said.mapping))
      unknown_word(word, knobs);
  }
  return said;
}

} // namespace

std::string to_text(const Numerics &numerics) {
  return std::string(kAlgorithms[numerics.algorithm]) + words(kNumerics, numerics_values(numerics));
}

std::string to_text(const Knob &knob, int64_t value) { return std::string(knob.name) + "=" + value_text(knob, value); }

std::string to_text(const Schedule &schedule, std::span<const Knob> knobs) {
  internal_check(schedule.mapping.values.size() == knobs.size());
  return to_text(schedule.numerics) + " |" + words(knobs, schedule.mapping.values);
}

Mapping with_choices(Mapping base, const MappingChoices &choices) {
  for (size_t i = 0; i < choices.size(); ++i)
    base.values[i] = choices[i].value_or(base.values[i]);
  return base;
}

bool is_settled(const MappingChoices &choices, size_t knob) { return knob < choices.size() && choices[knob]; }

Schedule parse_schedule(std::string_view text, std::span<const Knob> knobs, const Schedule &base) {
  const Said said = read(text, knobs);
  const auto from = numerics_values(base.numerics);
  const std::vector<int64_t> numerics = with_choices({{from.begin(), from.end()}}, said.numerics).values;
  return {{.algorithm = said.algorithm.value_or(base.numerics.algorithm),
           .lanes = int(numerics[0]),
           .chunk = numerics[1],
           .fold_high = numerics[2] != 0,
           .fma = numerics[3] != 0},
          with_choices(base.mapping, said.mapping)};
}

MappingChoices mapping_choices(std::string_view text, std::span<const Knob> knobs) { return read(text, knobs).mapping; }

std::string describe_knobs(std::span<const Knob> knobs) {
  std::string text =
      "numerics: what fixes every bit of the result\n  two_pass, chunked\n"
      "    squares about a mean: in a sweep of their own, or chunk by chunk in that of the mean: reads rows that outgrow the "
      "caches once less\n";
  const auto describe = [&](std::span<const Knob> table) {
    for (const Knob &knob : table)
      text += "  " + std::string(knob.name) + "=" + allowed(knob) + "\n    " + std::string(knob.help) + "\n";
  };
  describe(kNumerics);
  text += "mapping: what changes the speed and never a bit\n";
  describe(knobs);
  return text;
}

} // namespace normforge
