#include "codegen/package/call_arguments.h"

#include <cstring>

namespace normforge {

CallArguments::CallArguments(const FunctionTable &table)
    : table(table), memory((size_t(table.args_bytes()) + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t)) {}

template <class Value> void CallArguments::put(int32_t offset, Value value) {
  static_assert(sizeof value == 8);
  std::memcpy(reinterpret_cast<std::byte *>(memory.data()) + offset, &value, sizeof value);
}

void CallArguments::set(const std::vector<int64_t> &extents, const std::vector<double> &scalars) {
  for (size_t axis = 0; axis < extents.size(); ++axis)
    put(table.extent_offset(int(axis)), extents[axis]);
  for (size_t scalar = 0; scalar < scalars.size(); ++scalar)
    put(table.scalar_offset(int(scalar)), scalars[scalar]);
}

void CallArguments::point(size_t tensor, uintptr_t address) { put(table.pointer_offset(int(tensor)), address); }

void CallArguments::stride(size_t tensor, const std::vector<int64_t> &by_axis) {
  for (const ArgsField &field : table.fields())
    if (field.kind == ArgsField::stride && field.index == int(tensor))
      put(field.offset, by_axis[size_t(field.axis)]);
}

} // namespace normforge
