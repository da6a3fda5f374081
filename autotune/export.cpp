#include "autotune/export.h"

#include <functional>

#include "codegen/hash.h"
#include "dsl/norm.h"
#include "llvm/Support/JSON.h"

namespace normforge {
namespace {

struct Sample {
  const RecordKey &key;
  const Samples &samples;
  size_t index;
};

struct Column {
  llvm::StringLiteral name;
  bool text; ///< quoted in JSON
  std::string (*value)(const Sample &);
};

constexpr Column kColumns[] = {
    {"problem", true, [](const Sample &s) { return s.key.problem; }},
    {"target", true, [](const Sample &s) { return s.key.target; }},
    {"schedule", true, [](const Sample &s) { return s.key.schedule; }},
    {"device", true, [](const Sample &s) { return s.key.device; }},
    {"compiler", true, [](const Sample &s) { return s.key.compiler; }},
    {"norm", true, [](const Sample &s) { return s.key.norm; }},
    {"code", true, [](const Sample &s) { return s.key.code; }},
    {"run", true, [](const Sample &s) { return hash_text(s.samples.run); }},
    {"regime", true, [](const Sample &s) { return std::string(s.samples.regime == Regime::warm ? "warm" : "cold"); }},
    {"threads", false, [](const Sample &s) { return std::to_string(s.samples.threads); }},
    {"confirms", false, [](const Sample &s) { return std::string(s.samples.confirms ? "true" : "false"); }},
    {"twin", false, [](const Sample &s) { return std::string(s.samples.twin ? "true" : "false"); }},
    {"round", false, [](const Sample &s) { return std::to_string(s.samples.rounds[s.index]); }},
    {"seconds", false, [](const Sample &s) { return number_text(s.samples.seconds[s.index]); }},
};

void for_each_sample(const Database &database, const std::function<void(const Sample &)> &visit) {
  for (const auto &[key, record] : database.records())
    for (const Samples &samples : record.samples)
      for (size_t i = 0; i < samples.rounds.size(); ++i)
        visit({key, samples, i});
}

std::string csv_field(const std::string &value) {
  if (value.find_first_of(",\"\r\n") == value.npos)
    return value;
  std::string quoted = "\"";
  for (char c : value)
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

} // namespace

std::string samples_csv(const Database &database) {
  std::string text;
  for (const Column &column : kColumns)
    text += (text.empty() ? "" : ",") + column.name.str();
  text += "\n";
  for_each_sample(database, [&](const Sample &sample) {
    for (const Column &column : kColumns)
      text += (&column == kColumns ? "" : ",") + csv_field(column.value(sample));
    text += "\n";
  });
  return text;
}

std::string samples_json(const Database &database) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::json::OStream json(stream);
  json.array([&] {
    for_each_sample(database, [&](const Sample &sample) {
      json.object([&] {
        for (const Column &column : kColumns) {
          const std::string value = column.value(sample);
          json.attributeBegin(column.name);
          column.text ? json.value(value) : json.rawValue(value);
          json.attributeEnd();
        }
      });
    });
  });
  return text + "\n";
}

} // namespace normforge
