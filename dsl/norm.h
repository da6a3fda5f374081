// A Norm: a definition in the norm language (text), parsed and checked. The grammar stands at the top of dsl/parser.cpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/program.h"

namespace normforge {

/// `channel = group * sub` in a tensor's axis list: outside, one dimension called `name`; inside, the axes `parts`.
struct AxisSplit {
  std::string name;
  std::vector<int> parts; ///< outermost first
  bool operator==(const AxisSplit &) const = default;
};

struct Norm {
  Program program;
  std::string doc; ///< the `///` lines above it, without the slashes
  std::vector<AxisSplit> splits;
  std::vector<std::string> node_names; ///< by NodeId: the name that a statement gave it, or empty
  std::string text;                    ///< canonical text: to_text(parse(text)) == text
  uint64_t hash = 0;                   ///< of the canonical text without `doc`: what a database or a cache keys on
  std::string source;                  ///< what find_norm() found it by: a catalogue name, or a path as it was written
};
using NormRef = std::shared_ptr<const Norm>;

/// Parses and checks every norm of a file. `file` is for messages alone. Throws UserError with a caret diagnostic for each error found,
/// all of them, not the first alone.
std::vector<NormRef> parse_norms(std::string_view text, std::string_view file);

/// Canonical text of a norm; parsing it gives an equal norm.
std::string to_text(const Norm &);

/// As to_text(), without the doc lines.
std::string definition_text(const Norm &);

/// The built-in norms (dsl/catalogue/*.norm), sorted by name.
const std::vector<NormRef> &catalogue();

/// A norm by catalogue name, or by path to a `.norm` file (`path.norm`, or `path.norm:name` where the file holds several).
/// A relative path starts at `directory`, or where the program runs when that is empty. Throws UserError, with the nearest name where there
/// is one.
NormRef find_norm(std::string_view name_or_path, std::string_view directory = {});

/// The shortest decimal that reads back as `value`: "1e-5", "inf".
std::string number_text(double value);

/// "[0, inf)" or "{0, 1}"; a scalar without a domain has "[-inf, inf]".
std::string domain_text(const Scalar &);

/// "unbiased < count(batch, space)".
std::string requirement_text(const Program &, const Requirement &);

} // namespace normforge
