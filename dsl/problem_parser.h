// A line of problem text on its way to a Problem. Its words are gathered first and then taken one by one, in the order in which the meaning
// of one depends on another: extents, dtypes, outputs, and what lies where in memory.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "dsl/diagnostics.h"
#include "dsl/error.h"
#include "dsl/problem.h"
#include "dsl/words.h"

namespace normforge {

struct ProblemParser {
  std::string where; ///< opens every error
  Problem problem = {};
  std::map<std::string_view, std::string_view> words = {}; ///< those not yet taken

  /// `norm_named` finds the norm of the first word; throws UserError.
  Problem parse(std::string_view line, const std::function<NormRef(std::string_view)> &norm_named);

  void check_keys() const;
  void extents();
  void dtypes_of_tensors();
  void outputs();
  void order();
  void strides();
  void in_place();

  const Norm &norm() const { return *problem.norm; }
  const Program &program() const { return problem.norm->program; }

  [[noreturn]] void fail(const std::string &message) const { throw UserError(where + ": " + message); }

  /// The word of a key, or nothing; it is taken out.
  std::optional<std::string_view> take(std::string_view key);

  /// The index of the tensor that a value of `key` names.
  int tensor(std::string_view key, std::string_view name) const;

private:
  int64_t number(std::string_view key, std::string_view text) const;
  Extent extent(std::string_view key, std::string_view text, bool pack) const;
  void split_extent(const AxisSplit &, Extent whole);
  std::optional<DType> dtype(const Tensor &, std::string_view text) const;
  std::pair<std::string_view, std::string_view> pair(std::string_view key, std::string_view text, std::string_view expected) const;
  void check_in_place(int to, int from) const;
};

} // namespace normforge
