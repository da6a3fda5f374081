// Extents in problem text: `cols=768`, `rows=1..8192`, `cols=10x10x32`, and those of split axes.
#include <charconv>

#include "dsl/problem_parser.h"

namespace normforge {
namespace {

std::string parts_of(const Program &program, const AxisSplit &split) {
  std::vector<std::string> names;
  for (int part : split.parts)
    names.push_back(program.axes[size_t(part)].name);
  return joined(names, " * ");
}

} // namespace

int64_t ProblemParser::number(std::string_view key, std::string_view text) const {
  int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec == std::errc::result_out_of_range)
    fail(quoted(key) + ": the extent " + quoted(text) + " does not fit 63 bits");
  if (text.empty() || result.ptr != text.data() + text.size() || result.ec != std::errc{})
    fail(quoted(key) + ": expected an extent (768, 1..8192, 1.. or, for a pack, 10x10x32), found " + quoted(text));
  if (value < 0)
    fail(quoted(key) + ": the extent " + quoted(text) + " is negative");
  return value;
}

Extent ProblemParser::extent(std::string_view key, std::string_view text, bool pack) const {
  if (const size_t dots = text.find(".."); dots != text.npos) {
    Extent range{number(key, text.substr(0, dots))};
    if (dots + 2 < text.size())
      range.hi = number(key, text.substr(dots + 2));
    if (range.lo > range.hi)
      fail(quoted(key) + ": the range " + quoted(text) + " is empty");
    return range;
  }
  const auto dims = split(text, 'x');
  if (dims.size() > 1 && !pack)
    fail(quoted(key) + " is one axis, and " + quoted(text) + " lists several: expected one extent");
  int64_t product = 1;
  for (std::string_view dim : dims)
    product = checked_product(product, number(key, dim), where + ": " + quoted(key));
  return {product, product};
}

void ProblemParser::extents() {
  for (size_t axis = 0; axis < program().axes.size(); ++axis)
    if (const auto text = take(program().axes[axis].name))
      problem.extents[axis] = extent(program().axes[axis].name, *text, program().axes[axis].pack);
  for (const AxisSplit &split : norm().splits)
    if (const auto text = take(split.name))
      split_extent(split, extent(split.name, *text, false));
  int64_t least = 8; // bytes of the widest element
  for (const Extent &extent : problem.extents)
    if (extent.lo > 0)
      least = checked_product(least, extent.lo, where + ": the bytes of a tensor over all axes");
}

/// `channel=64` with all parts but one: the last follows. With all parts: they must agree.
void ProblemParser::split_extent(const AxisSplit &split, Extent whole) {
  int open = -1;
  int64_t known = 1;
  for (int part : split.parts) {
    const Extent &extent = problem.extents[size_t(part)];
    if (extent == Extent{} && open < 0)
      open = part;
    else if (!extent.fixed())
      fail("'" + split.name + "' is split into " + parts_of(program(), split) + ": say all parts but one, each fixed");
    else
      known = checked_product(known, extent.lo, where + ": '" + split.name + "'");
  }
  if (!whole.fixed())
    fail("'" + split.name + "' is split into " + parts_of(program(), split) + ": a range is said of the parts");
  const std::string total = std::to_string(whole.lo);
  if (open < 0 && known != whole.lo)
    fail("'" + split.name + "' is " + total + ", and its parts " + parts_of(program(), split) + " make " + std::to_string(known));
  if (open >= 0 && (known == 0 || whole.lo % known != 0))
    fail("'" + split.name + "' is " + total + ", which is not divisible by " + std::to_string(known) + ": no extent of '" +
         program().axes[size_t(open)].name + "' fits");
  if (open >= 0)
    problem.extents[size_t(open)] = {whole.lo / known, whole.lo / known};
}

} // namespace normforge
