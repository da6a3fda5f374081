// Arrays of the reference evaluator over some of a program's axes, and walks over them.
#pragma once

#include <array>
#include <utility>
#include <vector>

#include "dsl/problem.h"
#include "dsl/program.h"

namespace normforge {

using Index = std::array<int64_t, kMostAxes>; ///< by axis of the program: an index, or strides (0 where an array lacks the axis)

template <class T> struct Array {
  std::vector<T> values;
  Index strides{};
};

/// The axes of a program, with their extents.
struct Grid {
  const Program &program;
  const std::vector<int64_t> &extents;

  /// Calls visit(index) for every index over `axes`, in order, the last axis fastest.
  template <class Visit> void walk(AxisSet axes, const Visit &visit) const {
    std::vector<int> list;
    for (int axis = 0; axis < int(extents.size()); ++axis)
      if (axes & axis_bit(axis)) {
        if (extents[size_t(axis)] == 0)
          return;
        list.push_back(axis);
      }
    Index index{};
    for (;;) {
      visit(std::as_const(index));
      int i = int(list.size()) - 1;
      for (; i >= 0 && ++index[size_t(list[size_t(i)])] == extents[size_t(list[size_t(i)])]; --i)
        index[size_t(list[size_t(i)])] = 0;
      if (i < 0)
        return;
    }
  }

  size_t offset(const Index &index, const Index &strides) const {
    int64_t at = 0;
    for (size_t axis = 0; axis < extents.size(); ++axis)
      at += index[axis] * strides[axis];
    return size_t(at);
  }

  /// Dense strides over `axes`, the last fastest; `elements` gets their product.
  Index dense(const std::vector<int> &axes, int64_t &elements) const {
    Index strides{};
    elements = 1;
    for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
      strides[size_t(*axis)] = elements;
      elements = checked_product(elements, extents[size_t(*axis)], program.axes[size_t(*axis)].name);
    }
    return strides;
  }

  template <class T> Array<T> make(AxisSet axes, T value) const {
    std::vector<int> list;
    for (int axis = 0; axis < int(program.axes.size()); ++axis)
      if (axes & axis_bit(axis))
        list.push_back(axis);
    Array<T> array;
    int64_t elements;
    array.strides = dense(list, elements);
    array.values.assign(size_t(elements), value);
    return array;
  }
};

} // namespace normforge
