// From text to norms: parse, check, make canonical. And where norms are found: in the catalogue, which is in the program, or in a file.
#include "dsl/norm.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "dsl/checker.h"
#include "dsl/error.h"
#include "dsl/words.h"

namespace normforge {
namespace {

struct CatalogueFile {
  std::string_view name, text;
};
constexpr CatalogueFile kCatalogueFiles[] = {
#include "dsl/catalogue_files.inc"
};

// FNV-1a, 64 bits.
uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char byte : text)
    hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

std::vector<std::string> norm_names(const std::vector<NormRef> &norms) {
  std::vector<std::string> names;
  for (const NormRef &norm : norms)
    names.push_back(norm->program.name);
  return names;
}

std::string read_file(const std::filesystem::path &path, std::string_view shown) {
  std::error_code failure;
  if (std::filesystem::is_directory(path, failure))
    throw UserError(std::string(shown) + ": a folder; expected a .norm file");
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in)
    text << in.rdbuf();
  if (!in)
    throw UserError(std::string(shown) + ": cannot be read; expected a .norm file, or the name of a built-in norm");
  return text.str();
}

NormRef find_in_file(std::string_view file, std::string_view name, std::string_view written, std::string_view directory) {
  const std::vector<NormRef> norms = parse_norms(read_file(std::filesystem::path(directory) / file, file), file);
  const std::vector<std::string> names = norm_names(norms);
  const auto at = name.empty() ? norms.begin() : std::ranges::find(norms, name, [](const NormRef &norm) { return norm->program.name; });
  if (name.empty() && norms.size() != 1)
    throw UserError(std::string(file) + ": holds several norms (" + joined(names) + "); expected " + std::string(file) + ":NAME");
  if (at == norms.end())
    throw UserError(std::string(file) + ": no norm " + quoted(name) + did_you_mean(name, names) + " (it holds " + joined(names) + ")");
  auto norm = std::make_shared<Norm>(**at);
  norm->source = written;
  return norm;
}

} // namespace

std::vector<NormRef> parse_norms(std::string_view text, std::string_view file) {
  Diagnostics diagnostics(text, file);
  FileSyntax syntax = parse_syntax(text, diagnostics);
  check_definitions(syntax, diagnostics);
  std::vector<NormRef> norms;
  std::set<std::string_view> names;
  for (const NormSyntax &each : syntax.norms) {
    if (!names.insert(each.name.text).second)
      diagnostics.error(each.name.span(), "the norm " + quoted(each.name.text) + " stands twice");
    auto norm = std::make_shared<Norm>();
    Scope scope;
    if (check_signature(each, *norm, scope, diagnostics))
      check_body(each, syntax, *norm, scope, diagnostics);
    norms.push_back(std::move(norm));
    if (diagnostics.full())
      break;
  }
  if (norms.empty() && diagnostics.count() == 0)
    diagnostics.error({0, 0}, "expected a norm, found none: norm NAME(x[rows..., cols...]) -> y[rows..., cols...] { y = … }");
  diagnostics.throw_if_any();
  for (NormRef &each : norms) {
    auto norm = std::const_pointer_cast<Norm>(each);
    canonicalize(*norm);
    norm->text = to_text(*norm);
    norm->hash = hash_of(definition_text(*norm));
    norm->source = std::string(file) + ":" + norm->program.name;
  }
  return norms;
}

const std::vector<NormRef> &catalogue() {
  static const std::vector<NormRef> norms = [] {
    std::vector<NormRef> all;
    for (const CatalogueFile &file : kCatalogueFiles)
      for (const NormRef &norm : parse_norms(file.text, file.name)) {
        auto built_in = std::make_shared<Norm>(*norm);
        built_in->source = norm->program.name;
        all.push_back(std::move(built_in));
      }
    std::ranges::sort(all, {}, [](const NormRef &norm) { return norm->program.name; });
    return all;
  }();
  return norms;
}

NormRef find_norm(std::string_view name_or_path, std::string_view directory) {
  constexpr std::string_view kSuffix = ".norm";
  const size_t colon = name_or_path.rfind(".norm:");
  if (colon != name_or_path.npos)
    return find_in_file(name_or_path.substr(0, colon + kSuffix.size()), name_or_path.substr(colon + kSuffix.size() + 1), name_or_path,
                        directory);
  if (name_or_path.ends_with(kSuffix) || name_or_path.find('/') != name_or_path.npos)
    return find_in_file(name_or_path, {}, name_or_path, directory);
  for (const NormRef &norm : catalogue())
    if (norm->program.name == name_or_path)
      return norm;
  throw UserError("unknown norm " + quoted(name_or_path) + did_you_mean(name_or_path, norm_names(catalogue())) +
                  " (expected a built-in norm, or a path to a .norm file)");
}

} // namespace normforge
