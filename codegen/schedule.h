// A Schedule: the choices, as values with a text form.
//
//   two_pass lanes=32 chunk=1024 fold=high fma=off | rows=2 unroll=2 vector=512 keep=reread store=normal prefetch=0 split=1 grain=64K
//
// Left of the bar is the numerics half: it fixes every bit of the result and is the same type for every backend. Right of it is the mapping
// half: it changes speed and never a bit; its knobs are rows of a table that the backend owns.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace normforge {

constexpr int kMostLanes = 8192; ///< that a schedule may say

/// Fixes every bit (design: "order"). The reduction tree, for one kept index: element j of a contiguous run of reduced elements adds into
/// lane j mod `lanes`, in increasing j. A chunk is `chunk` elements of a run or, where runs are shorter than that, max(1, chunk / run)
/// whole runs. Chunks merge lane by lane in a binary counter (chunk i merges with its left neighbour as often as i + 1 is even; what is
/// left at the end merges from the right). Then lanes fold by halves: `fold_high` adds the upper half to the lower; otherwise odd lanes add
/// to even ones. A reduction across the contiguous axis keeps one lane per kept element and has chunks along the reduced axes.
///
/// `two_pass`: squares about a mean are added in the same order, in a sweep of their own that follows the one of the mean. `chunked`: those
/// of a chunk are about the mean of the lane's elements in that chunk, and wherever partial sums are added, these merge by the formula of
/// codegen/moments.cpp. The sums themselves have the same bits.
struct Numerics {
  enum Algorithm : uint8_t { two_pass, chunked } algorithm = two_pass;
  int lanes = 32;
  int64_t chunk = 1024;
  bool fold_high = true;
  bool fma = false;
  bool operator==(const Numerics &) const = default;
};

/// One row of a backend's knob table.
struct Knob {
  std::string_view name;
  std::string_view help;                   ///< one line: what it does and when it wins
  std::span<const int64_t> values;         ///< what a search tries, the neutral value first
  std::span<const std::string_view> words; ///< spelled values (words[v] for value v); empty: a number, `K`/`M` suffixes allowed
  std::string_view together = {};          ///< another knob: one alone doesn't show what both are worth, so a search tries them in pairs
};

/// Values for the rows of a knob table, in table order.
struct Mapping {
  std::vector<int64_t> values;
  bool operator==(const Mapping &) const = default;
};

/// What is settled of a mapping, in table order: a model chooses where nothing stands. Empty: nothing is.
using MappingChoices = std::vector<std::optional<int64_t>>;

/// `base` with the choices in place of its own.
Mapping with_choices(Mapping base, const MappingChoices &);
bool is_settled(const MappingChoices &, size_t knob);

struct Schedule {
  Numerics numerics;
  Mapping mapping;
  bool operator==(const Schedule &) const = default;
};

std::string to_text(const Numerics &);
std::string to_text(const Knob &, int64_t value);
std::string to_text(const Schedule &, std::span<const Knob> knobs);

/// Parses a schedule; what the text leaves out is taken from `base`, so `rows=2` or `| rows=2` alone is a schedule too. Throws UserError:
/// an unknown knob (with the nearest name), a value that is no number, is out of the table's reach, or lanes that are no power of two.
Schedule parse_schedule(std::string_view text, std::span<const Knob> knobs, const Schedule &base);

/// What a schedule's text says of the mapping. Throws as parse_schedule does.
MappingChoices mapping_choices(std::string_view text, std::span<const Knob> knobs);

/// What a schedule may say, for a person: each choice of both halves with its values and what it does.
std::string describe_knobs(std::span<const Knob> knobs);

} // namespace normforge
