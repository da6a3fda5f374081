// A function: one norm in one dtype mix and memory order, as the tables that the runtime reads (runtime/abi.h) and the args struct that a
// caller fills. The same tables serve in process (`normforge run`, tests) and, written out as constants, in a library.
//
// Every field of the args struct takes 8 bytes: the extents as int64_t in axis order, the tensors' pointers in tensor order, then for each
// tensor its strides as int64_t, outermost first (`x_stride_rows`, in elements; 0: dense), then the scalars as doubles.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "codegen/kernel.h"
#include "codegen/target.h"
#include "dsl/problem.h"

namespace normforge {

struct ArgsField {
  enum Kind : uint8_t { extent, tensor, stride, scalar } kind;
  int index;     ///< of the axis, tensor or scalar in the norm's program
  int axis = -1; ///< a stride's axis in the norm's program
  std::string name;
  int32_t offset = 0; ///< in bytes
};

/// What a function is the same for: `problem` with every extent open, every optional input there, every output wanted, nothing in place. A
/// tensor that `problem` lacks gets the dtype that it has by default. A tensor's layout is `rows`, so that strides can be said, or `any`
/// where `problem` says so.
Problem function_problem(const Problem &problem);

/// Whether a function with `function_problem` serves `problem`: the same norm, memory order and dtypes of what is there.
bool serves(const Problem &function_problem, const Problem &problem);

/// "layer_norm_f32": the norm's name, the first input's dtype, `_tensor_dtype` for each tensor whose dtype isn't the default beside it, and
/// the axes' names where their memory order isn't the declared one.
std::string function_name(const Problem &problem);

/// Owns all that `function` points to.
class FunctionTable {
public:
  /// The function that serves `problem`, without kernels.
  explicit FunctionTable(const Problem &problem);
  FunctionTable(const FunctionTable &) = delete;
  FunctionTable &operator=(const FunctionTable &) = delete;

  /// Appends a kernel compiled from `problem` for `target`, which serves the calls within it; kernels stand best first, those of GPUs in
  /// tables of their own. `steps` is what runs: LoadedKernel::steps(), or the counts alone where the addresses are the linker's, and for a
  /// GPU.
  void add_kernel(const Problem &problem, const Target &target, const Kernel &kernel, std::span<const nf_step> steps,
                  nf_origin origin = NF_GENERIC);

  const nf_function &function() const { return table; }
  bool on_gpu() const { return !kernels.empty() && kernels.front().code; }
  const Problem &problem() const { return served; }
  std::span<const ArgsField> fields() const { return args; }
  int32_t args_bytes() const { return int32_t(args.size() * 8); }

  /// Where in the args struct a value goes, in bytes.
  int32_t extent_offset(int axis) const { return axes[size_t(axis)].extent_offset; }
  int32_t pointer_offset(int tensor) const { return tensors[size_t(tensor)].pointer_offset; }
  int32_t scalar_offset(int scalar) const { return scalars[size_t(scalar)].offset; }

private:
  void add_fields();
  void add_requirements();
  void add_launches(const Kernel &kernel, std::vector<nf_step> &run, nf_kernel &entry);
  const char *keep(std::string text) { return texts.emplace_back(std::move(text)).c_str(); }

  Problem served;
  std::vector<ArgsField> args;
  std::deque<std::string> texts;
  std::vector<nf_axis> axes;
  std::vector<nf_tensor> tensors;
  std::vector<nf_scalar> scalars;
  std::vector<nf_requirement> requirements;
  std::vector<nf_kernel> kernels;
  std::deque<std::vector<nf_step>> steps;
  std::deque<std::vector<nf_buffer>> buffers;
  std::deque<nf_launch> launches;
  std::deque<std::vector<int32_t>> parameters;
  std::deque<nf_device_code> codes;
  nf_function table{};
};

} // namespace normforge
