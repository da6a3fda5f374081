// A Problem: a Norm with everything else that a kernel depends on: extents, dtypes, memory order, strides, which optional inputs are
// there, which outputs are wanted. One line of text that round-trips: it is the database key, what the CLI takes, what messages print.
//
//   layer_norm rows=1..8192 cols=768 x=bf16 gamma=f32 beta=none y=bf16 outputs=y
//   batch_norm_train batch=1..64 channel=64 space=3136 x=f32 … outputs=y order=batch,space,channel strides=x:rows inplace=y:x
//
// Extents: `n`, `lo..hi`, `lo..` or `AxBxC` (a pack; the product is what counts). An axis left out has any extent. A split axis takes its
// parts
// (`group=8 sub=4`) or itself and all parts but one (`channel=32 group=8`). Dtypes that are left out: what the norm declares; else f32 for
// the first input, the first input's for every other input and for outputs and inouts that have every axis of the first input, f32 for the
// others (statistics, scales), f64 when the first input is f64; i32 for lengths. `none` is an optional input that is absent. Also by
// default: outputs=all, order as declared, dense strides. A norm from a file is named by its path (`my.norm`, `my.norm:name`).
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dsl/norm.h"

namespace normforge {

/// Words of problem text; no axis or tensor is called so.
inline constexpr std::string_view kProblemKeys[] = {"outputs", "order", "strides", "inplace"};
inline constexpr std::string_view kProblemValues[] = {"all", "none"};

struct Extent {
  int64_t lo = 0;
  int64_t hi = std::numeric_limits<int64_t>::max();
  bool fixed() const { return lo == hi; }
  bool contains(int64_t n) const { return lo <= n && n <= hi; }
  bool operator==(const Extent &) const = default;
};

/// What is known of a tensor's strides, given Problem::order.
enum class Layout : uint8_t {
  dense, ///< packed, in memory order
  rows,  ///< the innermost of its axes is contiguous, the others have any stride
  any,   ///< any stride on every axis
};

inline constexpr std::string_view kLayoutNames[] = {"dense", "rows", "any"}; ///< by Layout

struct Problem {
  NormRef norm;
  std::vector<Extent> extents;               ///< by axis
  std::vector<std::optional<DType>> dtypes;  ///< by tensor; nullopt: an optional input that is absent
  std::vector<Layout> layouts;               ///< by tensor
  std::vector<int> order;                    ///< all axes in memory order, outermost first; one order serves all tensors
  uint64_t outputs = 0;                      ///< bit t: output tensor t is wanted
  std::vector<std::pair<int, int>> in_place; ///< output, input: they are the same memory

  bool wants(int tensor) const { return outputs >> tensor & 1; }
  bool operator==(const Problem &) const; ///< norms are compared by hash
};

/// A problem of `norm` with every default.
Problem default_problem(NormRef norm);

/// Parses one problem line. `where` (file:line) opens the messages; a norm's path starts at `directory`. Throws UserError.
Problem parse_problem(std::string_view line, std::string_view where = "problem", std::string_view directory = {});

/// Parses a problem line of `norm`, whose source is its first word, without looking for a norm of that name.
Problem parse_problem(std::string_view line, const NormRef &norm, std::string_view where);

/// Parses a problem file: a problem per line, `#` comments, blank lines. Paths of norms start where the file is. Reports every bad line in
/// one UserError.
std::vector<Problem> parse_problems(std::string_view text, std::string_view file);

/// Canonical text: parse_problem(to_text(p)) == p. Says everything but what is at its default.
std::string to_text(const Problem &);

/// What a dtype is when a problem does not say: the rule above, `first` being the first input's dtype.
DType default_dtype(const Program &, int tensor, DType first);

/// a * b for a, b >= 0, or UserError that names `what` when it does not fit 63 bits.
int64_t checked_product(int64_t a, int64_t b, std::string_view what);

} // namespace normforge
