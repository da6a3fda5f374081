// The args struct of a function in memory: what an application's compiler lays out, here by the function's table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "codegen/package/function.h"

namespace normforge {

class CallArguments {
public:
  /// All zeros. `table` must live as long.
  explicit CallArguments(const FunctionTable &table);

  /// By axis and by scalar of the norm.
  void set(const std::vector<int64_t> &extents, const std::vector<double> &scalars);
  /// An address on the machine that the call runs on; 0: absent.
  void point(size_t tensor, uintptr_t address);
  /// By axis of the norm, in elements, where the function lets them be said.
  void stride(size_t tensor, const std::vector<int64_t> &by_axis);

  const void *data() const { return memory.data(); }

private:
  const FunctionTable &table;
  std::vector<std::max_align_t> memory;

  template <class Value> void put(int32_t offset, Value value);
};

} // namespace normforge
