// Solving for extents: every axis and split is an unknown list of dimensions; arrays and binds are equations. Each round learns what
// follows without choice; when a round learns nothing, an array with as many dimensions as entries may give one to each, and then rounds go
// on. Every learned value remembers where it came from, so that a contradiction names both sides.
#include "dsl/binding.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>

#include "dsl/diagnostics.h"
#include "dsl/error.h"
#include "dsl/problem.h"

namespace normforge {
namespace {

using Dims = std::vector<int64_t>;

std::string text_of(const Dims &dims) {
  std::string out;
  for (int64_t dim : dims)
    out += (out.empty() ? "" : "x") + std::to_string(dim);
  return out.empty() ? "no dimension" : out;
}

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

struct Solver {
  const Norm &norm;
  const Program &program = norm.program;
  struct Unknown {
    std::string name;
    bool pack = false;
    std::optional<Dims> dims;
    std::string origin;
  };
  struct Array {
    const Tensor *tensor;
    Dims dims;
    std::vector<int> entries; ///< unknowns, in memory order
    bool done = false;
  };
  std::vector<Unknown> unknowns = {};
  std::vector<Array> arrays = {};
  std::vector<std::string> errors = {};
  bool progress = false;

  void error(std::string message) {
    message = program.name + ": " + message;
    if (std::ranges::find(errors, message) == errors.end())
      errors.push_back(std::move(message));
  }
  void throw_errors() const {
    std::string all;
    for (const std::string &each : errors)
      all += (all.empty() ? "" : "\n") + each;
    if (!errors.empty())
      throw UserError(all);
  }

  std::string suggestion(std::string_view name, std::vector<std::string> known) const {
    const std::string near = nearest_name(name.substr(0, 64), known);
    if (!near.empty())
      return "; did you mean '" + near + "'?";
    std::string list;
    for (const std::string &each : known)
      list += (list.empty() ? "" : ", ") + each;
    return " (expected one of: " + list + ")";
  }

  std::vector<std::string> unknown_names() const {
    std::vector<std::string> names;
    for (const Unknown &unknown : unknowns)
      names.push_back(unknown.name);
    return names;
  }

  int unknown_named(std::string_view name) const {
    const auto at = std::ranges::find(unknowns, name, &Unknown::name);
    return at == unknowns.end() ? -1 : int(at - unknowns.begin());
  }

  // --- setting up

  void make_unknowns() {
    for (const Axis &axis : program.axes)
      unknowns.push_back({axis.name, axis.pack});
    for (const AxisSplit &split : norm.splits)
      unknowns.push_back({split.name});
  }

  void add_array(const std::string &name, const ArrayShape &shape) {
    const int index = program.tensor_named(name);
    if (index < 0) {
      std::vector<std::string> names;
      for (const Tensor &tensor : program.tensors)
        names.push_back(tensor.name);
      return error("unknown tensor " + quoted(name) + suggestion(name, names));
    }
    Array array{&program.tensors[size_t(index)], shape.dims, entries_of(norm, program.tensors[size_t(index)].axes)};
    for (int64_t dim : shape.dims)
      if (dim < 0)
        return error("'" + name + "' has the negative extent " + std::to_string(dim));
    if (!shape.order.empty() && !reorder(array, shape.order))
      return;
    arrays.push_back(std::move(array));
  }

  /// Puts the entries into the order that is said; it has to name each once.
  bool reorder(Array &array, const std::vector<std::string> &order) {
    std::vector<int> entries;
    std::string expected;
    for (int entry : array.entries)
      expected += (expected.empty() ? "" : ",") + unknowns[size_t(entry)].name;
    for (const std::string &name : order) {
      const int entry = unknown_named(name);
      const bool twice = entry >= 0 && std::ranges::find(entries, entry) != entries.end();
      if (twice || std::ranges::find(array.entries, entry) == array.entries.end()) {
        error("axes of '" + array.tensor->name + "': " + quoted(name) + (twice ? " is named twice" : " is none of them") +
              " (expected some order of " + expected + ")");
        return false;
      }
      entries.push_back(entry);
    }
    if (entries.size() != array.entries.size()) {
      error("axes of '" + array.tensor->name + "': named " + std::to_string(entries.size()) + " of " +
            std::to_string(array.entries.size()) + " (expected some order of " + expected + ")");
      return false;
    }
    array.entries = std::move(entries);
    return true;
  }

  void add_bind(const std::string &name, std::string_view text) {
    const int unknown = unknown_named(name);
    if (unknown < 0)
      return error("bind " + quoted(name) + ": no such axis" + suggestion(name, unknown_names()));
    Dims dims;
    const char *at = text.data(), *end = text.data() + text.size();
    for (;;) {
      int64_t dim = 0;
      const auto result = std::from_chars(at, end, dim);
      if (result.ec != std::errc{} || dim < 0 || (result.ptr != end && *result.ptr != 'x'))
        return error("bind '" + name + "': expected an extent such as " + (unknowns[size_t(unknown)].pack ? "768 or 10x10x32" : "8") +
                     ", found " + quoted(text));
      dims.push_back(dim);
      if (result.ptr == end)
        break;
      at = result.ptr + 1;
    }
    if (dims.size() > 1 && !unknowns[size_t(unknown)].pack)
      return error("bind '" + name + "': one axis, and " + quoted(text) + " lists several");
    learn(unknown, std::move(dims), "bound");
  }

  // --- solving

  void learn(int unknown, Dims dims, const std::string &origin) {
    Unknown &known = unknowns[size_t(unknown)];
    if (!known.dims) {
      known.dims = std::move(dims);
      known.origin = origin;
      progress = true;
    } else if (*known.dims != dims) {
      error("'" + known.name + "' is " + text_of(*known.dims) + " (" + known.origin + ") and " + text_of(dims) + " (" + origin + ")");
    }
  }

  std::string described(const Array &array) const {
    std::string entries;
    for (int entry : array.entries)
      entries += (entries.empty() ? "" : ", ") + unknowns[size_t(entry)].name + (unknowns[size_t(entry)].pack ? "..." : "");
    return "'" + array.tensor->name + "' has the shape [" + (array.dims.empty() ? "" : text_of(array.dims)) + "] and the axes [" + entries +
           "]";
  }

  /// Gives an array's dimensions to its entries; `open`, the only pack whose dims are not known, takes what the others leave.
  void distribute(Array &array, int open) {
    array.done = true;
    if (array.entries.size() == 1 && unknowns[size_t(array.entries[0])].pack && !array.dims.empty())
      return learn(array.entries[0], array.dims, "from '" + array.tensor->name + "'");
    size_t taken = 0;
    for (int entry : array.entries)
      if (entry != open)
        taken += unknowns[size_t(entry)].pack ? unknowns[size_t(entry)].dims->size() : 1;
    if (open < 0 ? taken != array.dims.size() : taken > array.dims.size())
      return error(described(array) + ": expected " + (open < 0 ? "" : "at least ") + std::to_string(taken) +
                   (taken == 1 ? " dimension" : " dimensions") + known_packs(array) + ", found " + std::to_string(array.dims.size()));
    if (open >= 0 && array.entries.size() == 1 && array.dims.empty())
      return error(described(array) + ": expected at least 1 dimension");
    auto at = array.dims.begin();
    for (int entry : array.entries) {
      const Unknown &unknown = unknowns[size_t(entry)];
      const size_t count = entry == open ? array.dims.size() - taken : unknown.pack ? unknown.dims->size() : 1;
      learn(entry, Dims(at, at + ptrdiff_t(count)), "from '" + array.tensor->name + "'");
      at += ptrdiff_t(count);
    }
  }

  std::string known_packs(const Array &array) const {
    std::string out;
    for (int entry : array.entries)
      if (const Unknown &unknown = unknowns[size_t(entry)]; unknown.pack && unknown.dims)
        out += (out.empty() ? " (" : ", ") + unknown.name + " is " + text_of(*unknown.dims) + " " + unknown.origin;
    return out.empty() ? "" : out + ")";
  }

  std::vector<int> open_packs(const Array &array) const {
    std::vector<int> open;
    for (int entry : array.entries)
      if (unknowns[size_t(entry)].pack && !unknowns[size_t(entry)].dims)
        open.push_back(entry);
    return open;
  }

  /// whole = product of parts: the one that is not known follows; when all are, they must agree.
  void relate_splits() {
    for (size_t i = 0; i < norm.splits.size(); ++i) {
      const AxisSplit &split = norm.splits[i];
      const Unknown &whole = unknowns[program.axes.size() + i];
      int64_t product = 1;
      std::vector<int> open;
      for (int part : split.parts)
        if (const auto &dims = unknowns[size_t(part)].dims)
          product = checked_product(product, dims->front(), program.name + ": '" + split.name + "'");
        else
          open.push_back(part);
      const std::string from = "the product of its parts";
      if (open.empty() && (!whole.dims || whole.dims->front() != product))
        learn(int(program.axes.size() + i), {product}, from);
      else if (open.size() == 1 && whole.dims) {
        const int64_t total = whole.dims->front();
        if (product == 0 || total % product != 0) {
          error("'" + split.name + "' is " + std::to_string(total) + " (" + whole.origin + "), which is not divisible by " +
                std::to_string(product));
        } else {
          learn(open[0], {total / product}, "'" + split.name + "' / " + std::to_string(product));
        }
      }
    }
  }

  void solve() {
    do {
      progress = false;
      relate_splits();
      for (Array &array : arrays)
        if (const std::vector<int> open = open_packs(array); !array.done && open.size() < 2)
          distribute(array, open.empty() ? -1 : open[0]);
      if (progress || !errors.empty())
        continue;
      for (Array &array : arrays)
        if (!array.done && array.dims.size() == array.entries.size()) {
          for (int entry : open_packs(array))
            learn(entry, {array.dims[size_t(std::ranges::find(array.entries, entry) - array.entries.begin())]},
                  "from '" + array.tensor->name + "'");
          break;
        }
    } while (progress);
    throw_errors();
  }

  void report_open() {
    for (const Array &array : arrays)
      if (const std::vector<int> open = open_packs(array); !open.empty()) {
        std::string names;
        for (int entry : open)
          names += (names.empty() ? "'" : " and '") + unknowns[size_t(entry)].name + "'";
        error(described(array) + ": where " + names + " part is open; bind one (" + unknowns[size_t(open.back())].name + "=" +
              (array.dims.empty() ? "…" : std::to_string(array.dims.back())) + ", or several dimensions as AxB)");
        throw_errors();
      }
    for (size_t axis = 0; axis < program.axes.size(); ++axis)
      if (!unknowns[axis].dims)
        error("the extent of '" + unknowns[axis].name + "' is open: bind it (" + unknowns[axis].name + "=…)");
    throw_errors();
  }

  // --- memory order

  /// One order of all axes that agrees with every array's; where they leave it open, as declared.
  std::vector<int> memory_order() {
    const int count = int(program.axes.size());
    std::vector<AxisSet> before(size_t(count), 0); // axes that stand outside of each
    for (const Array &array : arrays) {
      AxisSet outer = 0;
      for (int entry : array.entries)
        for (int axis : axes_of(norm, entry)) {
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
        for (const Array &array : arrays)
          if (array.entries.size() > 1) {
            each += each.empty() ? "" : "; ";
            for (size_t i = 0; i < array.entries.size(); ++i)
              each += (i ? "," : array.tensor->name + "=") + unknowns[size_t(array.entries[i])].name;
          }
        error("the memory orders of its arrays contradict each other (" + each + "): one order serves all, so say the axes of each array");
        throw_errors();
      }
      order.push_back(next);
      placed |= axis_bit(next);
    }
    return order;
  }
};

} // namespace

std::vector<std::string> parse_axis_order(std::string_view text) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    names.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

Binding bind(NormRef norm, const std::map<std::string, ArrayShape> &arrays, const std::map<std::string, std::string> &binds) {
  Solver solver{*norm};
  solver.make_unknowns();
  for (const auto &[name, text] : binds)
    solver.add_bind(name, text);
  for (const auto &[name, shape] : arrays)
    solver.add_array(name, shape);
  // Parameters of one axis first, then as declared: messages begin with what is closest to the mistake.
  std::ranges::sort(solver.arrays, {}, [](const Solver::Array &array) { return std::pair(array.entries.size() > 1, array.tensor); });
  constexpr std::string_view kRoles[] = {"input", "inout tensor", "output", "tensor of lengths"}; // by Tensor::Role
  for (const Tensor &tensor : norm->program.tensors)
    if (tensor.role != Tensor::output && !tensor.fallback && !arrays.contains(tensor.name))
      solver.error("the " + std::string(kRoles[tensor.role]) + " '" + tensor.name + "' is missing");
  solver.throw_errors();
  solver.solve();
  solver.report_open();

  Binding binding{norm, {}, {}, solver.memory_order()};
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
