// Arrays and binds become equations for the extents of axes (dsl/extent_solver.h); what they come to is put in memory order, and back into
// shapes of arrays.
#include "dsl/binding.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "dsl/diagnostics.h"
#include "dsl/error.h"
#include "dsl/extent_solver.h"
#include "dsl/problem.h"
#include "dsl/words.h"

namespace normforge {
namespace {

// An entry of an array's axis list is an axis, or a split as a whole: axes are numbered first, then splits.

/// A tensor's axes with splits put together: the dimensions of its array, where a pack counts as one.
std::vector<int> entries_of(const Norm &norm, const std::vector<int> &axes) {
  std::vector<int> entries;
  for (size_t i = 0; i < axes.size();) {
    size_t taken = 1;
    int entry = axes[i];
    for (size_t split = 0; split < norm.splits.size(); ++split) {
      const std::vector<int> &parts = norm.splits[split].parts;
      if (axes.size() - i >= parts.size() && std::equal(parts.begin(), parts.end(), axes.begin() + ptrdiff_t(i))) {
        entry = int(norm.program.axes.size() + split);
        taken = parts.size();
      }
    }
    entries.push_back(entry);
    i += taken;
  }
  return entries;
}

/// The axes that stand for an entry, outermost first.
std::vector<int> axes_of(const Norm &norm, int entry) {
  const size_t axes = norm.program.axes.size();
  return size_t(entry) < axes ? std::vector<int>{entry} : norm.splits[size_t(entry) - axes].parts;
}

// --- equations

/// Puts the entries into the order that is said; it has to name each once.
bool reorder(ExtentSolver &solver, ExtentSolver::Array &array, const std::vector<std::string> &order) {
  std::vector<int> entries;
  std::string expected;
  for (int entry : array.entries)
    expected += (expected.empty() ? "" : ",") + solver.unknowns[size_t(entry)].name;
  for (const std::string &name : order) {
    const int entry = solver.unknown_named(name);
    const bool twice = entry >= 0 && std::ranges::find(entries, entry) != entries.end();
    if (twice || std::ranges::find(array.entries, entry) == array.entries.end()) {
      solver.error("axes of '" + array.tensor->name + "': " + quoted(name) + (twice ? " is named twice" : " is none of them") +
                   " (expected some order of " + expected + ")");
      return false;
    }
    entries.push_back(entry);
  }
  if (entries.size() != array.entries.size()) {
    solver.error("axes of '" + array.tensor->name + "': named " + std::to_string(entries.size()) + " of " +
                 std::to_string(array.entries.size()) + " (expected some order of " + expected + ")");
    return false;
  }
  array.entries = std::move(entries);
  return true;
}

void add_array(ExtentSolver &solver, const std::string &name, const ArrayShape &shape) {
  const Program &program = solver.program;
  const int index = program.tensor_named(name);
  if (index < 0)
    return solver.error("unknown tensor " + quoted(name) + suggestion(name, names_of(program.tensors)));
  ExtentSolver::Array array{&program.tensors[size_t(index)], shape.dims, entries_of(solver.norm, program.tensors[size_t(index)].axes)};
  for (int64_t dim : shape.dims)
    if (dim < 0)
      return solver.error("'" + name + "' has the negative extent " + std::to_string(dim));
  if (!shape.order.empty() && !reorder(solver, array, shape.order))
    return;
  solver.arrays.push_back(std::move(array));
}

void add_bind(ExtentSolver &solver, const std::string &name, std::string_view text) {
  const int unknown = solver.unknown_named(name);
  if (unknown < 0)
    return solver.error("bind " + quoted(name) + ": no such axis" + suggestion(name, names_of(solver.unknowns)));
  Dims dims;
  const char *at = text.data(), *end = text.data() + text.size();
  for (;;) {
    int64_t dim = 0;
    const auto result = std::from_chars(at, end, dim);
    if (result.ec != std::errc{} || dim < 0 || (result.ptr != end && *result.ptr != 'x'))
      return solver.error("bind '" + name + "': expected an extent such as " +
                          (solver.unknowns[size_t(unknown)].pack ? "768 or 10x10x32" : "8") + ", found " + quoted(text));
    dims.push_back(dim);
    if (result.ptr == end)
      break;
    at = result.ptr + 1;
  }
  if (dims.size() > 1 && !solver.unknowns[size_t(unknown)].pack)
    return solver.error("bind '" + name + "': one axis, and " + quoted(text) + " lists several");
  solver.learn(unknown, std::move(dims), "bound");
}

// --- memory order

/// One order of all axes that agrees with every array's; where they leave it open, as declared.
std::vector<int> memory_order(ExtentSolver &solver) {
  const int count = int(solver.program.axes.size());
  std::vector<AxisSet> before(size_t(count), 0); // axes that stand outside of each
  for (const ExtentSolver::Array &array : solver.arrays) {
    AxisSet outer = 0;
    for (int entry : array.entries)
      for (int axis : axes_of(solver.norm, entry)) {
        before[size_t(axis)] |= outer;
        outer |= axis_bit(axis);
      }
  }
  std::vector<int> order;
  AxisSet placed = 0;
  while (int(order.size()) < count) {
    int next = 0;
    while (next < count && ((placed & axis_bit(next)) || (before[size_t(next)] & ~placed)))
      ++next;
    if (next == count) {
      std::string each;
      for (const ExtentSolver::Array &array : solver.arrays)
        if (array.entries.size() > 1) {
          each += each.empty() ? "" : "; ";
          for (size_t i = 0; i < array.entries.size(); ++i)
            each += (i ? "," : array.tensor->name + "=") + solver.unknowns[size_t(array.entries[i])].name;
        }
      solver.error("the memory orders of its arrays contradict each other (" + each +
                   "): one order serves all, so say the axes of each array");
      solver.throw_errors();
    }
    order.push_back(next);
    placed |= axis_bit(next);
  }
  return order;
}

} // namespace

std::vector<std::string> parse_axis_order(std::string_view text) {
  const std::vector<std::string_view> names = split(text, ',');
  return {names.begin(), names.end()};
}

Binding bind(NormRef norm, const std::map<std::string, ArrayShape> &arrays, const std::map<std::string, std::string> &binds) {
  ExtentSolver solver(*norm);
  for (const auto &[name, text] : binds)
    add_bind(solver, name, text);
  for (const auto &[name, shape] : arrays)
    add_array(solver, name, shape);
  // Parameters of one axis first, then as declared: messages begin with what is closest to the mistake.
  std::ranges::sort(solver.arrays, {}, [](const auto &array) { return std::pair(array.entries.size() > 1, array.tensor); });
  constexpr std::string_view kRoles[] = {"input", "inout tensor", "output", "tensor of lengths"}; // by Tensor::Role
  for (const Tensor &tensor : norm->program.tensors)
    if (tensor.role != Tensor::output && !tensor.fallback && !arrays.contains(tensor.name))
      solver.error("the " + std::string(kRoles[tensor.role]) + " '" + tensor.name + "' is missing");
  solver.throw_errors();
  solver.solve();

  Binding binding{norm, {}, {}, memory_order(solver)};
  int64_t bytes = 8; // of the widest element
  for (size_t axis = 0; axis < norm->program.axes.size(); ++axis) {
    int64_t extent = 1;
    for (int64_t dim : *solver.unknowns[axis].dims)
      extent = checked_product(extent, dim, norm->program.name + ": '" + norm->program.axes[axis].name + "'");
    bytes = checked_product(bytes, std::max<int64_t>(extent, 1), norm->program.name + ": the bytes of a tensor over all axes");
    binding.dims.push_back(*solver.unknowns[axis].dims);
    binding.extents.push_back(extent);
  }
  return binding;
}

std::vector<int64_t> Binding::shape(int tensor) const {
  const Program &program = norm->program;
  const AxisSet set = program.axes_of(program.tensors[size_t(tensor)]);
  std::vector<int> axes;
  std::ranges::copy_if(order, std::back_inserter(axes), [&](int axis) { return set & axis_bit(axis); });
  std::vector<int64_t> shape;
  for (int entry : entries_of(*norm, axes)) {
    const std::vector<int> parts = axes_of(*norm, entry);
    if (parts.size() == 1) {
      shape.insert(shape.end(), dims[size_t(entry)].begin(), dims[size_t(entry)].end());
    } else {
      int64_t whole = 1;
      for (int part : parts)
        whole *= extents[size_t(part)];
      shape.push_back(whole);
    }
  }
  return shape;
}

} // namespace normforge
