// A function table and its args struct, put together by hand: what generated code would bring, in a form that a test can bend.
#pragma once

#include <bit>
#include <deque>
#include <limits>
#include <string>
#include <vector>

#include "runtime/abi.h"
#include "runtime/runtime.h"

namespace normforge::testing {

/// The args struct is an array of 8-byte fields: extents, then for each tensor its pointer and the strides of all its axes, then scalars.
class Sample {
public:
  Sample() = default;
  Sample(const Sample &) = delete;
  Sample &operator=(const Sample &) = delete;

  int add_axis(const char *name, int64_t extent) {
    axes.push_back({name, field(extent), -1});
    return int(axes.size()) - 1;
  }
  int add_tensor(const char *name, nf_role role, nf_dtype dtype, const std::vector<int> &over, void *pointer, bool optional = false) {
    nf_tensor tensor{};
    tensor.name = name;
    tensor.role = role;
    tensor.dtype = dtype;
    tensor.optional = optional;
    tensor.rank = int32_t(over.size());
    tensor.pointer_offset = field(std::bit_cast<int64_t>(pointer));
    for (size_t i = 0; i < over.size(); ++i) {
      tensor.axes[i] = over[i];
      tensor.stride_offset[i] = field(0);
    }
    tensors.push_back(tensor);
    return int(tensors.size()) - 1;
  }
  int add_scalar(const char *name, double value, double lo = -std::numeric_limits<double>::infinity(),
                 double hi = std::numeric_limits<double>::infinity(), bool lo_open = false, bool hi_open = false) {
    scalars.push_back({name, field(std::bit_cast<int64_t>(value)), 0, lo, hi, lo_open, hi_open, nullptr});
    return int(scalars.size()) - 1;
  }
  /// A generic kernel of one step that takes any call; the test narrows it.
  nf_kernel &add_kernel(const char *name, nf_kernel_fn run, nf_count items) {
    steps.push_back({run, items, 0});
    nf_kernel kernel{};
    kernel.level = 2;
    kernel.takes = ~uint64_t(0);
    for (nf_range &range : kernel.ranges)
      range = {0, INT64_MAX};
    kernel.steps = 1;
    kernel.step = &steps.back();
    kernel.problem = name;
    kernel.schedule = "by hand";
    kernels.push_back(kernel);
    return kernels.back();
  }

  void set_extent(int axis, int64_t extent) { at(axes[size_t(axis)].extent_offset) = extent; }
  void set_pointer(int tensor, const void *pointer) { at(tensors[size_t(tensor)].pointer_offset) = std::bit_cast<int64_t>(pointer); }
  void set_stride(int tensor, int position, int64_t stride) { at(tensors[size_t(tensor)].stride_offset[position]) = stride; }
  void set_scalar(int scalar, double value) { at(scalars[size_t(scalar)].offset) = std::bit_cast<int64_t>(value); }

  const nf_function *function() {
    table = {"sample",
             "norm sample",
             int32_t(axes.size()),
             int32_t(tensors.size()),
             int32_t(scalars.size()),
             int32_t(requirements.size()),
             int32_t(kernels.size()),
             axes.data(),
             tensors.data(),
             scalars.data(),
             requirements.data(),
             nullptr};
    kernel_list.assign(kernels.begin(), kernels.end());
    table.kernel = kernel_list.data();
    return &table;
  }
  const void *args() const { return fields.data(); }

  nf_status call(const nf_options *options = nullptr) { return nf_call(function(), args(), options); }
  nf_choice which(const nf_options *options = nullptr) {
    nf_choice choice;
    nf_which(function(), args(), options, &choice);
    return choice;
  }

  std::vector<nf_axis> axes;
  std::vector<nf_tensor> tensors;
  std::vector<nf_scalar> scalars;
  std::vector<nf_requirement> requirements;
  std::deque<nf_kernel> kernels;

private:
  int32_t field(int64_t value) {
    fields.push_back(value);
    return int32_t(fields.size() * 8 - 8);
  }
  int64_t &at(int32_t offset) { return fields[size_t(offset) / 8]; }

  std::vector<int64_t> fields;
  std::deque<nf_step> steps;
  std::vector<nf_kernel> kernel_list;
  nf_function table{};
};

} // namespace normforge::testing
