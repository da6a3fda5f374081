// Object files and archives as values: what is defined, what it is called, who sees it. LLVM's own readers and writers do the work.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace normforge {

/// A file of an archive.
struct Member {
  std::string name;
  std::string bytes;
};

struct SymbolName {
  std::string to;
  bool hidden = false; ///< seen by the program or shared object that it is linked into, and no further
};

/// Global symbols that an object file defines, in its own order.
std::vector<std::string> defined_symbols(std::string_view object);

/// The object with symbols, defined or wanted, called by other names, and without debug information.
std::string rename_symbols(std::string_view object, const std::map<std::string, SymbolName> &names);

std::vector<Member> read_archive(std::string_view archive);

/// An archive with a symbol table, the same bytes for the same members: no times, no owners.
std::string write_archive(const std::vector<Member> &members);

} // namespace normforge
