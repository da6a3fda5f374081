// The data of one call of a library's function, as its header says that an application passes it.
#pragma once

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "codegen/package/function.h"
#include "dsl/problem.h"

namespace normforge::testing {

/// The data of one call of a problem, dense (fewer rows are the first of more), and the args struct that says where it is.
struct Call {
  Call(const Problem &problem, const std::vector<int64_t> &extents) : problem(problem), extents(extents), table(problem) {
    const Program &program = problem.norm->program;
    bytes.resize(size_t(table.args_bytes()));
    for (size_t a = 0; a < extents.size(); ++a)
      set(table.extent_offset(int(a)), extents[a]);
    for (size_t s = 0; s < program.scalars.size(); ++s)
      set(table.scalar_offset(int(s)), program.scalars[s].fallback);
    data.resize(program.tensors.size());
    for (size_t t = 0; t < program.tensors.size(); ++t) {
      const bool output = program.tensors[t].role == Tensor::output;
      if (output ? !problem.wants(int(t)) : !problem.dtypes[t].has_value())
        continue;
      const DType dtype = *table.problem().dtypes[t];
      std::mt19937 random(static_cast<unsigned>(t));
      std::normal_distribution<double> normal(3, 1);
      data[t].resize(count(t) * size_t(info(dtype).bytes));
      for (size_t i = 0; i < count(t) && !output; ++i)
        store_element(dtype, data[t].data(), i, normal(random));
      set(table.pointer_offset(int(t)), data[t].data());
    }
  }

  size_t count(size_t tensor) const {
    size_t n = 1;
    for (int axis : problem.norm->program.tensors[tensor].axes)
      n *= size_t(extents[size_t(axis)]);
    return n;
  }

  template <class T> void set(int32_t offset, T value) { std::memcpy(bytes.data() + offset, &value, sizeof value); }

  Problem problem;
  std::vector<int64_t> extents;
  FunctionTable table;
  std::vector<std::string> data; ///< by tensor
  std::string bytes;             ///< the args struct
};

} // namespace normforge::testing
