// Problem text to problems. A line is a norm and `key=value` words, where a key is an axis, a tensor, or one of kProblemKeys. Words may
// stand in any order: they are gathered first, and read in the order in which one depends on another.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include "dsl/diagnostics.h"
#include "dsl/error.h"
#include "dsl/problem.h"

namespace normforge {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string joined(const std::vector<std::string> &names) {
  std::string out;
  for (const std::string &name : names)
    out += (out.empty() ? "" : ", ") + name;
  return out;
}

struct ProblemParser {
  std::string where;
  Problem problem = {};
  std::map<std::string_view, std::string_view> words = {};

  const Norm &norm() const { return *problem.norm; }
  const Program &program() const { return problem.norm->program; }

  [[noreturn]] void fail(const std::string &message) const { throw UserError(where + ": " + message); }

  std::string suggestion(std::string_view name, const std::vector<std::string> &candidates) const {
    const std::string near = nearest_name(name.substr(0, 64), candidates);
    return near.empty() ? " (expected one of: " + joined(candidates) + ")" : "; did you mean '" + near + "'?";
  }

  /// The word of a key, or nothing; it is taken out.
  std::optional<std::string_view> take(std::string_view key) {
    const auto found = words.find(key);
    if (found == words.end())
      return std::nullopt;
    const std::string_view value = found->second;
    words.erase(found);
    return value;
  }

  // --- extents

  int64_t number(std::string_view key, std::string_view text) const {
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

  Extent extent(std::string_view key, std::string_view text, bool pack) const {
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

  void extents() {
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
  void split_extent(const AxisSplit &split, Extent whole) {
    int open = -1;
    int64_t known = 1;
    for (int part : split.parts) {
      const Extent &extent = problem.extents[size_t(part)];
      if (extent == Extent{} && open < 0)
        open = part;
      else if (!extent.fixed())
        fail("'" + split.name + "' is split into " + parts_of(split) + ": say all parts but one, each fixed");
      else
        known = checked_product(known, extent.lo, where + ": '" + split.name + "'");
    }
    if (!whole.fixed())
      fail("'" + split.name + "' is split into " + parts_of(split) + ": a range is said of the parts");
    const std::string total = std::to_string(whole.lo);
    if (open < 0 && known != whole.lo)
      fail("'" + split.name + "' is " + total + ", and its parts " + parts_of(split) + " make " + std::to_string(known));
    if (open >= 0 && (known == 0 || whole.lo % known != 0))
      fail("'" + split.name + "' is " + total + ", which is not divisible by " + std::to_string(known) + ": no extent of '" +
           program().axes[size_t(open)].name + "' fits");
    if (open >= 0)
      problem.extents[size_t(open)] = {whole.lo / known, whole.lo / known};
  }

  std::string parts_of(const AxisSplit &split) const {
    std::string out;
    for (int part : split.parts)
      out += (out.empty() ? "" : " * ") + program().axes[size_t(part)].name;
    return out;
  }

  // --- tensors

  static bool allowed(Tensor::Role role, const DTypeInfo &row) {
    switch (role) {
    case Tensor::input: return row.input;
    case Tensor::inout: return row.input && row.output;
    case Tensor::output: return row.output;
    case Tensor::length: return row.dtype == DType::i32;
    }
    return false;
  }

  std::optional<DType> dtype(const Tensor &tensor, std::string_view text) const {
    if (text == "none") {
      if (!tensor.fallback)
        fail("'" + tensor.name + "' has no default: it cannot be none" +
             (tensor.role == Tensor::output ? "; unwanted outputs are left out of outputs=" : ""));
      return std::nullopt;
    }
    std::vector<std::string> names;
    for (const DTypeInfo &row : dtypes())
      if (allowed(tensor.role, row))
        names.emplace_back(row.name);
    const std::optional<DType> dtype = dtype_named(text);
    if (!dtype)
      fail("'" + tensor.name + "': unknown dtype " + quoted(text) + suggestion(text, names));
    if (!allowed(tensor.role, info(*dtype)))
      fail("'" + tensor.name + "' cannot be " + std::string(text) + " (expected one of: " + joined(names) + ")");
    return dtype;
  }

  void dtypes_of_tensors() {
    const auto &tensors = program().tensors;
    if (const auto text = take(tensors[0].name))
      problem.dtypes[0] = dtype(tensors[0], *text);
    for (size_t i = 1; i < tensors.size(); ++i) {
      const auto text = take(tensors[i].name);
      problem.dtypes[i] = text ? dtype(tensors[i], *text) : default_dtype(program(), int(i), *problem.dtypes[0]);
    }
  }

  int tensor(std::string_view key, std::string_view name) const {
    const int index = program().tensor_named(name);
    if (index < 0) {
      std::vector<std::string> names;
      for (const Tensor &tensor : program().tensors)
        names.push_back(tensor.name);
      fail(std::string(key) + ": unknown tensor " + quoted(name) + suggestion(name, names));
    }
    return index;
  }

  void outputs() {
    const auto text = take("outputs");
    if (!text || *text == "all")
      return;
    problem.outputs = 0;
    const bool updates = std::ranges::any_of(program().tensors, [](const Tensor &t) { return t.role == Tensor::inout; });
    if (*text == "none" && !updates)
      fail("outputs=none leaves nothing to compute: expected the names of outputs");
    if (*text == "none")
      return;
    for (std::string_view name : split(*text, ',')) {
      const int index = tensor("outputs", name);
      if (program().tensors[size_t(index)].role != Tensor::output)
        fail("outputs: " + quoted(name) + " is no output");
      if (problem.wants(index))
        fail("outputs: " + quoted(name) + " is named twice");
      problem.outputs |= uint64_t(1) << index;
    }
  }

  // --- memory

  void order() {
    const auto text = take("order");
    if (!text)
      return;
    problem.order.clear();
    const auto append = [&](int axis, std::string_view name) {
      if (std::ranges::find(problem.order, axis) != problem.order.end())
        fail("order: " + quoted(name) + " is named twice");
      problem.order.push_back(axis);
    };
    for (std::string_view name : split(*text, ',')) {
      const auto whole = std::ranges::find(norm().splits, name, &AxisSplit::name);
      if (whole != norm().splits.end()) {
        for (int part : whole->parts)
          append(part, name);
      } else {
        const int axis = program().axis_named(name);
        if (axis < 0)
          fail("order: unknown axis " + quoted(name) + suggestion(name, axis_names()));
        append(axis, name);
      }
    }
    for (size_t axis = 0; axis < program().axes.size(); ++axis)
      if (std::ranges::find(problem.order, int(axis)) == problem.order.end())
        fail("order: the axis '" + program().axes[axis].name + "' is missing: expected all of " + joined(axis_names()));
  }

  std::vector<std::string> axis_names() const {
    std::vector<std::string> names;
    for (const Axis &axis : program().axes)
      names.push_back(axis.name);
    return names;
  }

  /// "a:b" as its two halves.
  std::pair<std::string_view, std::string_view> pair(std::string_view key, std::string_view text, std::string_view expected) const {
    const size_t colon = text.find(':');
    if (colon == text.npos)
      fail(std::string(key) + ": expected " + std::string(expected) + ", found " + quoted(text));
    return {text.substr(0, colon), text.substr(colon + 1)};
  }

  void strides() {
    const auto text = take("strides");
    if (!text)
      return;
    uint64_t seen = 0;
    for (std::string_view item : split(*text, ',')) {
      const auto [name, layout] = pair("strides", item, "TENSOR:dense, TENSOR:rows or TENSOR:any");
      const int index = tensor("strides", name);
      const auto row = std::ranges::find(kLayoutNames, layout);
      if (row == std::end(kLayoutNames))
        fail("strides: expected dense, rows or any for '" + std::string(name) + "', found " + quoted(layout));
      if (seen >> index & 1)
        fail("strides: " + quoted(name) + " is named twice");
      seen |= uint64_t(1) << index;
      problem.layouts[size_t(index)] = Layout(row - kLayoutNames);
    }
  }

  void in_place() {
    const auto text = take("inplace");
    if (!text)
      return;
    for (std::string_view item : split(*text, ',')) {
      const auto [output, input] = pair("inplace", item, "OUTPUT:INPUT");
      const int to = tensor("inplace", output), from = tensor("inplace", input);
      check_in_place(to, from);
      problem.in_place.emplace_back(to, from);
    }
    std::ranges::sort(problem.in_place);
  }

  void check_in_place(int to, int from) const {
    const Tensor &output = program().tensors[size_t(to)], &input = program().tensors[size_t(from)];
    const std::string pair = "inplace: '" + output.name + "' in place of '" + input.name + "': ";
    if (output.role != Tensor::output || input.role != Tensor::input)
      fail(pair + "expected OUTPUT:INPUT");
    if (!problem.wants(to))
      fail(pair + "'" + output.name + "' is not among outputs");
    if (!problem.dtypes[size_t(from)])
      fail(pair + "'" + input.name + "' is none");
    if (program().axes_of(output) != program().axes_of(input))
      fail(pair + "their axes differ");
    if (info(*problem.dtypes[size_t(to)]).bytes != info(*problem.dtypes[size_t(from)]).bytes)
      fail(pair + "their dtypes differ in width (" + std::string(name(*problem.dtypes[size_t(to)])) + ", " +
           std::string(name(*problem.dtypes[size_t(from)])) + ")");
    if (problem.layouts[size_t(to)] != problem.layouts[size_t(from)])
      fail(pair + "their strides differ in class");
    for (const auto &[other_to, other_from] : problem.in_place)
      if (other_to == to || other_from == from)
        fail(pair + "one of them is in another pair already");
  }

  // --- the line

  void check_keys() const {
    std::vector<std::string> names = axis_names();
    for (const AxisSplit &split : norm().splits)
      names.push_back(split.name);
    for (const Tensor &tensor : program().tensors)
      names.push_back(tensor.name);
    names.insert(names.end(), std::begin(kProblemKeys), std::end(kProblemKeys));
    for (const auto &[key, value] : words) {
      if (program().scalar_named(key) >= 0)
        fail(quoted(key) + " is a scalar of '" + program().name + "': its value is given with each call and is no part of a problem");
      if (std::ranges::find(names, key) == names.end())
        fail("'" + program().name + "' has no axis or tensor " + quoted(key) + suggestion(key, names));
    }
  }

  Problem parse(std::string_view line, std::string_view directory) {
    std::vector<std::string_view> tokens;
    constexpr std::string_view kBlank = " \t\r\n";
    for (size_t begin; (begin = line.find_first_not_of(kBlank)) != line.npos;) {
      const size_t end = std::min(line.find_first_of(kBlank, begin), line.size());
      tokens.push_back(line.substr(begin, end - begin));
      line.remove_prefix(end);
    }
    if (tokens.empty())
      fail("expected a norm and key=value words, found nothing");
    try {
      problem = default_problem(find_norm(tokens[0], directory));
    } catch (const UserError &error) {
      fail(error.what());
    }
    for (std::string_view token : std::span(tokens).subspan(1)) {
      const size_t equals = token.find('=');
      if (equals == token.npos || equals == 0)
        fail("expected key=value, found " + quoted(token));
      if (!words.try_emplace(token.substr(0, equals), token.substr(equals + 1)).second)
        fail(quoted(token.substr(0, equals)) + " is said twice");
    }
    check_keys();
    extents();
    dtypes_of_tensors();
    outputs();
    order();
    strides();
    in_place();
    return std::move(problem);
  }
};

} // namespace

Problem parse_problem(std::string_view line, std::string_view where, std::string_view directory) {
  return ProblemParser{std::string(where)}.parse(line, directory);
}

std::vector<Problem> parse_problems(std::string_view text, std::string_view file) {
  const std::string directory = std::filesystem::path(file).parent_path().string();
  std::vector<Problem> problems;
  std::string errors;
  size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == line.npos)
      continue;
    try {
      problems.push_back(parse_problem(line, std::string(file) + ":" + std::to_string(number), directory));
    } catch (const UserError &error) {
      errors.append(errors.empty() ? "" : "\n").append(error.what());
    }
  }
  if (!errors.empty())
    throw UserError(errors);
  return problems;
}

} // namespace normforge
