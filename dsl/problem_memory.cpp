// What problem text says of memory: the order of axes, strides, and which output takes the place of which input.
#include <algorithm>

#include "dsl/problem_parser.h"

namespace normforge {

void ProblemParser::order() {
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
        fail("order: unknown axis " + quoted(name) + suggestion(name, names_of(program().axes)));
      append(axis, name);
    }
  }
  for (size_t axis = 0; axis < program().axes.size(); ++axis)
    if (std::ranges::find(problem.order, int(axis)) == problem.order.end())
      fail("order: the axis '" + program().axes[axis].name + "' is missing: expected all of " + joined(names_of(program().axes)));
}

/// "a:b" as its two halves.
std::pair<std::string_view, std::string_view> ProblemParser::pair(std::string_view key, std::string_view text,
                                                                  std::string_view expected) const {
  const size_t colon = text.find(':');
  if (colon == text.npos)
    fail(std::string(key) + ": expected " + std::string(expected) + ", found " + quoted(text));
  return {text.substr(0, colon), text.substr(colon + 1)};
}

void ProblemParser::strides() {
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

void ProblemParser::in_place() {
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

void ProblemParser::check_in_place(int to, int from) const {
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

} // namespace normforge
