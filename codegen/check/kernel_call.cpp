#include "codegen/check/kernel_call.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "dsl/error.h"

namespace normforge {
namespace {

int64_t product(uint64_t axes, const std::vector<int64_t> &extents) {
  int64_t n = 1;
  for (size_t i = 0; i < extents.size(); ++i)
    if (axes >> i & 1)
      n *= extents[i];
  return n;
}

} // namespace

int64_t count_value(const nf_count &count, const std::vector<int64_t> &extents) {
  return product(count.outer, extents) * ((product(count.tiled, extents) + count.tile - 1) / count.tile) * count.times;
}

KernelCall::KernelCall(const Problem &problem, std::vector<int64_t> extents, const ReferenceInputs &inputs, const CallOptions &options)
    : problem_(problem), extents_(std::move(extents)), options_(options) {
  const Program &program = problem_.norm->program;
  for (size_t t = 0; t < program.tensors.size(); ++t)
    buffers_.push_back(make_buffer(int(t)));
  for (const auto &[output, input] : problem_.in_place) {
    buffers_[size_t(output)].bytes = 0;
    buffers_[size_t(output)].data = buffers_[size_t(input)].data;
  }
  for (size_t t = 0; t < program.tensors.size(); ++t) {
    args_.tensors[t] = buffers_[t].data;
    for (size_t axis = 0; axis < program.axes.size(); ++axis)
      args_.strides[t][axis] = buffers_[t].strides[axis];
    if (const auto at = inputs.tensors.find(program.tensors[t].name); at != inputs.tensors.end())
      for (size_t i = 0; i < at->second.values.size(); ++i)
        store_element(*problem_.dtypes[t], buffers_[t].data, offset(int(t), i), at->second.values[i]);
  }
  std::ranges::copy(extents_, args_.extents);
  for (size_t i = 0; i < program.scalars.size(); ++i) {
    const auto at = inputs.scalars.find(program.scalars[i].name);
    args_.scalars[i] = at == inputs.scalars.end() ? program.scalars[i].fallback : at->second;
  }
}

KernelCall::Buffer KernelCall::make_buffer(int tensor) const {
  const Tensor &info_of = problem_.norm->program.tensors[size_t(tensor)];
  Buffer buffer;
  buffer.strides.assign(extents_.size(), 0);
  int64_t stride = problem_.layouts[size_t(tensor)] == Layout::any ? 2 : 1;
  bool innermost = true;
  for (size_t i = problem_.order.size(); i-- > 0;) {
    const int axis = problem_.order[i];
    if (std::ranges::find(info_of.axes, axis) == info_of.axes.end())
      continue;
    buffer.strides[size_t(axis)] = stride;
    stride *= std::max<int64_t>(extents_[size_t(axis)], 1);
    if (std::exchange(innermost, false) && problem_.layouts[size_t(tensor)] != Layout::dense)
      stride += options_.padding;
  }
  if (!present(problem_, tensor))
    return buffer;
  // The last element ends the buffer, so that the guard page follows it whatever the strides.
  int64_t elements = 1;
  for (int axis : info_of.axes)
    elements += (extents_[size_t(axis)] - 1) * buffer.strides[size_t(axis)];
  for (int axis : info_of.axes)
    if (extents_[size_t(axis)] == 0)
      elements = 0;
  const auto element = size_t(info(*problem_.dtypes[size_t(tensor)]).bytes);
  const size_t offset = size_t(options_.offset) * element, bytes = offset + size_t(elements) * element;
  buffer.memory = Guarded(bytes, options_.side);
  std::memset(buffer.memory.data(), 0xff, bytes); // a NaN in every dtype that has one: what is not written shows
  buffer.bytes = bytes;
  buffer.data = buffer.memory.data() + offset;
  return buffer;
}

size_t KernelCall::offset(int tensor, size_t index) const {
  const Tensor &info_of = problem_.norm->program.tensors[size_t(tensor)];
  int64_t offset = 0;
  for (size_t i = info_of.axes.size(); i-- > 0;) {
    const size_t axis = size_t(info_of.axes[i]);
    offset += int64_t(index % size_t(extents_[axis])) * buffers_[size_t(tensor)].strides[axis];
    index /= size_t(extents_[axis]);
  }
  return size_t(offset);
}

void KernelCall::run(const Kernel &kernel, const LoadedKernel &loaded) {
  std::vector<Guarded> workspace;
  for (size_t i = 0; i < kernel.workspace.size(); ++i) {
    const nf_buffer &buffer = kernel.workspace[i];
    const size_t bytes = size_t(count_value(buffer.count, extents_) * buffer.bytes + 63) / 64 * 64;
    workspace.emplace_back(bytes);
    std::memset(workspace.back().data(), 0xff, bytes);
    args_.buffers[i] = workspace.back().data();
  }
  for (const nf_step &step : loaded.steps()) {
    const int64_t items = count_value(step.items, extents_);
    for (int i = 0; i < options_.pieces; ++i) {
      const int piece = options_.backwards ? options_.pieces - 1 - i : i;
      const int64_t begin = items * piece / options_.pieces, end = items * (piece + 1) / options_.pieces;
      if (begin < end)
        step.run(&args_, begin, end);
    }
  }
}

KernelCall::Place KernelCall::place(int tensor) const {
  const Buffer &buffer = buffers_[size_t(tensor)];
  return {buffer.memory.data(), buffer.data, buffer.bytes};
}

std::vector<double> KernelCall::scalars() const { return {args_.scalars, args_.scalars + problem_.norm->program.scalars.size()}; }

double KernelCall::value(const std::string &tensor, size_t index) const {
  const int t = problem_.norm->program.tensor_named(tensor);
  internal_check(t >= 0);
  return load_element(*problem_.dtypes[size_t(t)], buffers_[size_t(t)].data, offset(t, index));
}

size_t KernelCall::size(const std::string &tensor) const {
  size_t n = 1;
  for (int axis : problem_.norm->program.tensors[size_t(problem_.norm->program.tensor_named(tensor))].axes)
    n *= size_t(extents_[size_t(axis)]);
  return n;
}

std::string KernelCall::output_bits() const {
  std::string bits;
  const Program &program = problem_.norm->program;
  for (size_t t = 0; t < program.tensors.size(); ++t) {
    const Tensor &tensor = program.tensors[t];
    if (!present(problem_, int(t)) || (tensor.role != Tensor::output && tensor.role != Tensor::inout))
      continue;
    for (size_t i = 0, n = size(tensor.name); i < n; ++i) {
      double value = load_element(*problem_.dtypes[t], buffers_[t].data, offset(int(t), i));
      if (std::isnan(value))
        value = std::numeric_limits<double>::quiet_NaN();
      bits.append(reinterpret_cast<const char *>(&value), sizeof value);
    }
  }
  return bits;
}

} // namespace normforge
