// The database: a file of Records, one a line. Many processes may append to it at once, and any of them may be killed at any time: a Record
// is there whole or not at all. Readers skip a damaged line with a warning that names it. The canonical form, for commits, is sorted by key
// with the Records of equal keys merged; rewriting a file into it goes by rename.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autotune/record.h"

namespace normforge {

class Database {
public:
  /// Takes in a Record, merging it with the one of the same key.
  void add(Record record);
  const std::map<RecordKey, Record> &records() const { return by_key; }
  const Record *find(const RecordKey &key) const;
  bool operator==(const Database &) const = default;

private:
  std::map<RecordKey, Record> by_key;
};

/// Where and why a line was skipped: "FILE:17: …".
using Warn = std::function<void(const std::string &)>;

/// The Records of a text. `path` is for warnings alone.
Database parse_database(std::string_view text, std::string_view path, const Warn &warn);

/// Reads a file; one that doesn't exist is empty. Throws UserError when it exists and cannot be read.
Database read_database(const std::string &path, const Warn &warn);

/// The canonical text of all Records.
std::string to_text(const Database &);

/// Appends Records to a file, at once and durably (they are on disk when this returns), making it where there is none. Throws UserError
/// (read-only, full disk) and then leaves the file as it was. A last line that a killed writer left incomplete is ended first, so that it
/// spoils no other.
void append_records(const std::string &path, std::span<const Record> records);

/// Replaces a file by the canonical text of `change(what it holds)`, by rename, while no other process appends.
void rewrite_database(const std::string &path, const std::function<Database(Database)> &change, const Warn &warn);

} // namespace normforge
