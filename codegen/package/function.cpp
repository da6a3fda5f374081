#include "codegen/package/function.h"

#include <algorithm>
#include <bit>

#include "codegen/hash.h"
#include "dsl/error.h"

namespace normforge {
namespace {

// A field has the name of what it holds, but for words that C or C++ keeps to itself.
constexpr std::string_view kKeywords[] = {
    "alignas",  "alignof",   "and",       "asm",       "auto",     "bool",         "break",  "case",    "catch",    "char",
    "class",    "const",     "constexpr", "continue",  "default",  "delete",       "do",     "double",  "else",     "enum",
    "explicit", "export",    "extern",    "false",     "float",    "for",          "friend", "goto",    "if",       "inline",
    "int",      "long",      "mutable",   "namespace", "new",      "noexcept",     "not",    "nullptr", "operator", "or",
    "private",  "protected", "public",    "register",  "requires", "restrict",     "return", "short",   "signed",   "sizeof",
    "static",   "struct",    "switch",    "template",  "this",     "throw",        "true",   "try",     "typedef",  "typename",
    "union",    "unsigned",  "using",     "virtual",   "void",     "volatile",     "while",  "xor",     "bitand",   "bitor",
    "compl",    "concept",   "decltype",  "typeid",    "typeof",   "thread_local", "unix",   "linux",
};

std::string field_name(std::string name) {
  if (std::ranges::find(kKeywords, name) != std::end(kKeywords))
    name += '_';
  return name;
}

nf_dtype abi_dtype(DType dtype) {
  static_assert(int(DType::f64) == NF_F64 && int(DType::f8e4m3) == NF_F8E4M3 && int(DType::i32) == NF_I32);
  return nf_dtype(dtype);
}

nf_role abi_role(Tensor::Role role) {
  static_assert(int(Tensor::input) == NF_INPUT && int(Tensor::inout) == NF_INOUT && int(Tensor::output) == NF_OUTPUT &&
                int(Tensor::length) == NF_LENGTH);
  return nf_role(role);
}

nf_compare abi_compare(Op op) {
  internal_check(op == Op::less || op == Op::less_equal || op == Op::equal);
  return op == Op::less ? NF_LESS : op == Op::less_equal ? NF_LESS_EQUAL : NF_EQUAL;
}

/// One side of a requirement: the ABI's form, and its text into `text`.
nf_operand abi_operand(const Program &program, NodeId id, std::string &text) {
  const Node &node = program.node(id);
  nf_operand operand{};
  switch (node.op) {
  case Op::count: {
    operand.kind = NF_COUNT_OF;
    operand.axes = node.over;
    std::string list;
    for (AxisSet axes = node.over; axes; axes &= axes - 1)
      list += (list.empty() ? "" : ", ") + program.axes[size_t(std::countr_zero(axes))].name;
    text += "count(" + list + ")";
    return operand;
  }
  case Op::scalar:
    operand.kind = NF_SCALAR_OF;
    operand.scalar = node.symbol;
    text += program.scalars[size_t(node.symbol)].name;
    return operand;
  default:
    internal_check(node.op == Op::constant);
    operand.kind = NF_CONSTANT_OF;
    operand.constant = node.value;
    text += number_text(node.value);
    return operand;
  }
}

/// A tensor's axes in memory order.
std::vector<int> memory_axes(const Problem &problem, const Tensor &tensor) {
  std::vector<int> axes;
  for (int axis : problem.order)
    if (std::ranges::find(tensor.axes, axis) != tensor.axes.end())
      axes.push_back(axis);
  return axes;
}

/// Inputs whose memory `tensor` may be: it is written at every point, which a sweep does after it has read all that stands there, and they
/// have its axes and element width.
uint64_t in_place_inputs(const Problem &problem, const Tensor &tensor, DType dtype) {
  const Program &program = problem.norm->program;
  const AxisSet axes = program.axes_of(tensor);
  uint64_t inputs = 0;
  if (tensor.role == Tensor::output && axes == program.axes_of(program.tensors.front()))
    for (size_t t = 0; t < program.tensors.size(); ++t)
      if (program.tensors[t].role == Tensor::input && program.axes_of(program.tensors[t]) == axes &&
          info(*problem.dtypes[t]).bytes == info(dtype).bytes)
        inputs |= uint64_t(1) << t;
  return inputs;
}

} // namespace

Problem function_problem(const Problem &problem) {
  Problem general = problem;
  const Program &program = problem.norm->program;
  general.extents.assign(program.axes.size(), Extent{});
  general.in_place.clear();
  general.outputs = 0;
  for (size_t t = 0; t < program.tensors.size(); ++t) {
    if (program.tensors[t].role == Tensor::output)
      general.outputs |= uint64_t(1) << t;
    if (!general.dtypes[t])
      general.dtypes[t] = default_dtype(program, int(t), *problem.dtypes.front());
    if (program.tensors[t].axes.size() > 1)
      general.layouts[t] = std::max(problem.layouts[t], Layout::rows);
  }
  return general;
}

bool serves(const Problem &general, const Problem &problem) {
  if (general.norm->hash != problem.norm->hash || general.order != problem.order)
    return false;
  for (size_t t = 0; t < problem.dtypes.size(); ++t)
    if (problem.dtypes[t] && problem.dtypes[t] != general.dtypes[t])
      return false;
  return true;
}

std::string function_name(const Problem &problem) {
  const Program &program = problem.norm->program;
  const DType first = *problem.dtypes.front();
  std::string name = program.name + "_" + std::string(normforge::name(first));
  for (size_t t = 1; t < program.tensors.size(); ++t)
    if (problem.dtypes[t] && problem.dtypes[t] != default_dtype(program, int(t), first))
      name += "_" + program.tensors[t].name + "_" + std::string(normforge::name(*problem.dtypes[t]));
  if (!std::ranges::is_sorted(problem.order))
    for (int axis : problem.order)
      name += "_" + program.axes[size_t(axis)].name;
  return name;
}

FunctionTable::FunctionTable(const Problem &problem) : served(function_problem(problem)) {
  static_assert(kMostAxes == NF_MAX_AXES && kMostTensors == NF_MAX_TENSORS && kMostScalars == NF_MAX_SCALARS);
  add_fields();
  add_requirements();
  table.name = keep(function_name(served));
  table.norm = served.norm->text.c_str();
  table.axes = int32_t(axes.size());
  table.tensors = int32_t(tensors.size());
  table.scalars = int32_t(scalars.size());
  table.requirements = int32_t(requirements.size());
  table.axis = axes.data();
  table.tensor = tensors.data();
  table.scalar = scalars.data();
  table.requirement = requirements.data();
}

void FunctionTable::add_fields() {
  const Program &program = served.norm->program;
  const auto add = [&](ArgsField::Kind kind, size_t index, std::string name, int axis = -1) {
    args.push_back({kind, int(index), axis, field_name(std::move(name)), args_bytes()});
    return args.back().offset;
  };
  for (size_t a = 0; a < program.axes.size(); ++a) {
    const Axis &axis = program.axes[a];
    axes.push_back({axis.name.c_str(), add(ArgsField::extent, a, axis.name), axis.length});
  }
  for (size_t t = 0; t < program.tensors.size(); ++t) {
    const Tensor &tensor = program.tensors[t];
    nf_tensor &entry = tensors.emplace_back();
    entry.name = tensor.name.c_str();
    entry.role = abi_role(tensor.role);
    entry.dtype = abi_dtype(*served.dtypes[t]);
    entry.optional = tensor.role == Tensor::output || tensor.fallback.has_value();
    entry.rank = int32_t(tensor.axes.size());
    entry.pointer_offset = add(ArgsField::tensor, t, tensor.name);
    std::ranges::copy(memory_axes(served, tensor), entry.axes);
    entry.in_place = in_place_inputs(served, tensor, *served.dtypes[t]);
  }
  for (size_t t = 0; t < program.tensors.size(); ++t)
    for (int32_t i = 0; i < tensors[t].rank; ++i) {
      const int axis = tensors[t].axes[i];
      const bool said = i + 1 < tensors[t].rank || served.layouts[t] == Layout::any;
      tensors[t].stride_offset[i] =
          said ? add(ArgsField::stride, t, program.tensors[t].name + "_stride_" + program.axes[size_t(axis)].name, axis) : -1;
    }
  for (size_t s = 0; s < program.scalars.size(); ++s) {
    const Scalar &scalar = program.scalars[s];
    scalars.push_back({scalar.name.c_str(), add(ArgsField::scalar, s, scalar.name), int32_t(scalar.set.size()), scalar.lo, scalar.hi,
                       scalar.lo_open, scalar.hi_open, scalar.set.empty() ? nullptr : scalar.set.data()});
  }
  std::vector<std::string_view> names;
  for (const ArgsField &field : args)
    names.push_back(field.name);
  std::ranges::sort(names);
  if (const auto twice = std::ranges::adjacent_find(names); twice != names.end())
    throw UserError(program.name + ": two fields of its arguments would be called '" + std::string(*twice) +
                    "'; rename an axis, tensor or scalar");
}

void FunctionTable::add_requirements() {
  const Program &program = served.norm->program;
  for (const Requirement &requirement : program.requirements) {
    std::string lhs, rhs;
    nf_requirement entry{};
    entry.compare = abi_compare(requirement.compare);
    entry.lhs = abi_operand(program, requirement.lhs, lhs);
    entry.rhs = abi_operand(program, requirement.rhs, rhs);
    constexpr const char *kSigns[] = {" < ", " <= ", " == "};
    entry.text = keep(lhs + kSigns[entry.compare] + rhs);
    requirements.push_back(entry);
  }
}

void FunctionTable::add_kernel(const Problem &problem, const Target &target, const Kernel &kernel, std::span<const nf_step> run,
                               nf_origin origin) {
  const Program &program = problem.norm->program;
  internal_check(serves(served, problem) && run.size() == kernel.steps.size() && kernel.workspace.size() <= NF_MAX_BUFFERS);
  nf_kernel entry{};
  entry.problem = keep(to_text(problem));
  entry.schedule = keep(kernel.schedule);
  entry.level = target.level;
  entry.origin = origin;
  entry.needs = kernel.writes;
  for (size_t t = 0; t < program.tensors.size(); ++t) {
    const uint64_t bit = uint64_t(1) << t;
    if (program.tensors[t].role != Tensor::output && problem.dtypes[t])
      entry.needs |= bit;
    if (problem.layouts[t] == Layout::dense)
      entry.dense |= bit;
    if (problem.layouts[t] != Layout::any)
      entry.rows |= bit;
  }
  entry.takes = entry.needs | kernel.may_write;
  for (const auto &[output, input] : problem.in_place)
    entry.in_place |= uint64_t(1) << output;
  for (size_t a = 0; a < program.axes.size(); ++a)
    entry.ranges[a] = {problem.extents[a].lo, problem.extents[a].hi};
  std::vector<nf_step> &kept_steps = steps.emplace_back(run.begin(), run.end());
  if (target.gpu())
    add_launches(kernel, kept_steps, entry);
  const std::vector<nf_buffer> &kept_buffers = buffers.emplace_back(kernel.workspace);
  entry.steps = int32_t(kept_steps.size());
  entry.buffers = int32_t(kept_buffers.size());
  entry.step = kept_steps.data();
  entry.buffer = kept_buffers.data();
  entry.grain_bytes = kernel.grain_bytes;
  kernels.push_back(entry);
  table.kernels = int32_t(kernels.size());
  table.kernel = kernels.data();
}

void FunctionTable::add_launches(const Kernel &kernel, std::vector<nf_step> &run, nf_kernel &entry) {
  for (size_t s = 0; s < run.size(); ++s) {
    const Launch &launch = kernel.steps[s].launch;
    const std::vector<int32_t> &offsets = parameters.emplace_back(launch.parameters.begin(), launch.parameters.end());
    launches.push_back({keep(kernel.steps[s].symbol), launch.threads, launch.rows, launch.cluster, launch.resident, launch.shared_bytes,
                        int32_t(offsets.size()), offsets.data()});
    run[s].launch = &launches.back();
  }
  codes.push_back({kernel.image.empty() ? nullptr : keep(kernel.image), keep(kernel.object), hash_of(kernel.object + kernel.image)});
  entry.code = &codes.back();
}

} // namespace normforge
