#include "dsl/extent_solver.h"

#include <algorithm>

#include "dsl/error.h"
#include "dsl/problem.h"
#include "dsl/words.h"

namespace normforge {
namespace {

std::string text_of(const Dims &dims) {
  std::string out;
  for (int64_t dim : dims)
    out += (out.empty() ? "" : "x") + std::to_string(dim);
  return out.empty() ? "no dimension" : out;
}

} // namespace

ExtentSolver::ExtentSolver(const Norm &norm) : norm(norm) {
  for (const Axis &axis : program.axes)
    unknowns.push_back({axis.name, axis.pack});
  for (const AxisSplit &split : norm.splits)
    unknowns.push_back({split.name});
}

int ExtentSolver::unknown_named(std::string_view name) const {
  const auto at = std::ranges::find(unknowns, name, &Unknown::name);
  return at == unknowns.end() ? -1 : int(at - unknowns.begin());
}

void ExtentSolver::error(std::string message) {
  message = program.name + ": " + message;
  if (std::ranges::find(errors, message) == errors.end())
    errors.push_back(std::move(message));
}

void ExtentSolver::throw_errors() const {
  if (!errors.empty())
    throw UserError(joined(errors, "\n"));
}

void ExtentSolver::learn(int unknown, Dims dims, const std::string &origin) {
  Unknown &known = unknowns[size_t(unknown)];
  if (!known.dims) {
    known.dims = std::move(dims);
    known.origin = origin;
    progress = true;
  } else if (*known.dims != dims) {
    error("'" + known.name + "' is " + text_of(*known.dims) + " (" + known.origin + ") and " + text_of(dims) + " (" + origin + ")");
  }
}

std::string ExtentSolver::described(const Array &array) const {
  std::string entries;
  for (int entry : array.entries)
    entries += (entries.empty() ? "" : ", ") + unknowns[size_t(entry)].name + (unknowns[size_t(entry)].pack ? "..." : "");
  return "'" + array.tensor->name + "' has the shape [" + (array.dims.empty() ? "" : text_of(array.dims)) + "] and the axes [" + entries +
         "]";
}

/// Gives an array's dimensions to its entries; `open`, the only pack whose dims are not known, takes what the others leave.
void ExtentSolver::distribute(Array &array, int open) {
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

std::string ExtentSolver::known_packs(const Array &array) const {
  std::string out;
  for (int entry : array.entries)
    if (const Unknown &unknown = unknowns[size_t(entry)]; unknown.pack && unknown.dims)
      out += (out.empty() ? " (" : ", ") + unknown.name + " is " + text_of(*unknown.dims) + " " + unknown.origin;
  return out.empty() ? "" : out + ")";
}

std::vector<int> ExtentSolver::open_packs(const Array &array) const {
  std::vector<int> open;
  for (int entry : array.entries)
    if (unknowns[size_t(entry)].pack && !unknowns[size_t(entry)].dims)
      open.push_back(entry);
  return open;
}

/// whole = product of parts: the one that is not known follows; when all are, they must agree.
void ExtentSolver::relate_splits() {
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

void ExtentSolver::solve() {
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
  report_open();
}

void ExtentSolver::report_open() {
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

} // namespace normforge
