#include "autotune/database.h"

#include <algorithm>

#include "autotune/line_file.h"
#include "dsl/error.h"

namespace normforge {

Database parse_database(std::string_view text, std::string_view path, const Warn &warn) {
  Database database;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty())
      continue;
    try {
      database.add(parse_record(line));
    } catch (const UserError &error) {
      warn(std::string(path) + ":" + std::to_string(number) + ": " + error.what() + "; this line is skipped");
    }
  }
  return database;
}

void Database::add(Record record) {
  const auto found = by_key.find(record.key);
  if (found == by_key.end())
    by_key.emplace(record.key, std::move(record));
  else
    found->second = merge(found->second, record);
}

const Record *Database::find(const RecordKey &key) const {
  const auto found = by_key.find(key);
  return found == by_key.end() ? nullptr : &found->second;
}

Database read_database(const std::string &path, const Warn &warn) { return parse_database(read_lines(path), path, warn); }

std::string to_text(const Database &database) {
  std::string text;
  for (const auto &[key, record] : database.records())
    text += to_line(record) + "\n";
  return text;
}

void append_records(const std::string &path, std::span<const Record> records) {
  std::string lines;
  for (const Record &record : records)
    lines += to_line(record) + "\n";
  append_lines(path, lines);
}

void rewrite_database(const std::string &path, const std::function<Database(Database)> &change, const Warn &warn) {
  rewrite_lines(path, [&](const std::string &text) { return to_text(change(parse_database(text, path, warn))); });
}

} // namespace normforge
