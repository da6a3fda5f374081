#include "cli/bound_call.h"

#include <charconv>

#include "cli/names.h"
#include "dsl/conditions.h"
#include "dsl/error.h"
#include "dsl/reference.h"

namespace normforge::cli {
namespace {

std::vector<std::string> names_of(const Program &program, bool (*wanted)(Tensor::Role)) {
  std::vector<std::string> names;
  for (const Tensor &tensor : program.tensors)
    if (wanted(tensor.role))
      names.push_back(tensor.name);
  return names;
}

void check_names(const Program &program, std::string_view noun, const std::map<std::string, std::string> &words,
                 bool (*wanted)(Tensor::Role)) {
  for (const auto &[name, value] : words)
    check_name(program.name + " " + std::string(noun), name, names_of(program, wanted));
}

bool is_input(Tensor::Role role) { return role != Tensor::output; }
bool is_output(Tensor::Role role) { return role == Tensor::output || role == Tensor::inout; }
bool is_any(Tensor::Role) { return true; }

double scalar_value(const std::string &name, const std::string &text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw UserError("--set " + name + "=" + text + ": expected a number" +
                    (error == std::errc::result_out_of_range ? " that fits f64" : ""));
  return value;
}

std::map<std::string, double> scalar_values(const std::map<std::string, std::string> &texts) {
  std::map<std::string, double> values;
  for (const auto &[name, text] : texts)
    values[name] = scalar_value(name, text);
  return values;
}

std::optional<DType> declared_dtype(const CallWords &words, const std::string &tensor) {
  const auto word = words.dtypes.find(tensor);
  if (word == words.dtypes.end())
    return std::nullopt;
  const auto dtype = dtype_named(word->second);
  if (!dtype) {
    std::vector<std::string> known;
    for (const DTypeInfo &row : dtypes())
      known.emplace_back(row.name);
    throw UserError(unknown_name("dtype", word->second, known));
  }
  return dtype;
}

/// The dtype of what was read for an input, if it may have that.
DType input_dtype(const CallWords &words, const Tensor &tensor, const NpyArray &array) {
  const DType dtype = dtype_of(array, declared_dtype(words, tensor.name), tensor.name + " (" + words.inputs.at(tensor.name) + ")");
  if (tensor.role == Tensor::length ? dtype != DType::i32 : !info(dtype).input)
    throw UserError(tensor.name + " (" + words.inputs.at(tensor.name) + ") holds " + std::string(name(dtype)) + "; expected " +
                    (tensor.role == Tensor::length ? "i32, the dtype of lengths" : "f64, f32, f16 or bf16") +
                    "; convert it with numpy's astype");
  return dtype;
}

DType output_dtype(const CallWords &words, const Program &program, int index, DType first) {
  const std::string &tensor = program.tensors[size_t(index)].name;
  const DType dtype = declared_dtype(words, tensor).value_or(default_dtype(program, index, first));
  if (!info(dtype).output)
    throw UserError("--dtype " + tensor + "=" + std::string(name(dtype)) + ": no output has that dtype");
  return dtype;
}

Binding bind_axes(const NormRef &norm, const CallWords &words, const std::map<std::string, NpyArray> &arrays) {
  std::map<std::string, ArrayShape> shapes;
  for (const auto &[name, array] : arrays)
    shapes[name].dims = array.shape;
  for (const auto &[name, order] : words.axes) {
    if (!shapes.contains(name))
      throw UserError("--axes " + name + "=" + order + ": '" + name + "' is not given with --in");
    shapes[name].order = parse_axis_order(order);
  }
  return bind(norm, shapes, words.binds);
}

/// The problem that the call is: extents fixed, inputs as given, outputs as asked for.
Problem make_problem(const CallWords &words, const Binding &binding, const std::map<std::string, NpyArray> &arrays) {
  Problem problem = default_problem(binding.norm);
  const Program &program = binding.norm->program;
  for (size_t axis = 0; axis < program.axes.size(); ++axis)
    problem.extents[axis] = {binding.extents[axis], binding.extents[axis]};
  problem.order = binding.order;
  problem.outputs = 0;
  for (size_t index = 0; index < program.tensors.size(); ++index) {
    const Tensor &tensor = program.tensors[index];
    if (tensor.role == Tensor::output) {
      problem.dtypes[index] = output_dtype(words, program, int(index), *problem.dtypes[0]);
      problem.outputs |= uint64_t(words.outputs.contains(tensor.name)) << index;
    } else if (const auto array = arrays.find(tensor.name); array != arrays.end()) {
      problem.dtypes[index] = input_dtype(words, tensor, array->second);
    } else {
      problem.dtypes[index] = std::nullopt;
    }
  }
  return problem;
}

int64_t elements(const std::vector<int64_t> &shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

/// Calls visit(k, offset) for the k-th element of a tensor in declared order and its offset in memory, in elements.
template <class Visit> void for_each_element(const BoundCall &call, const Tensor &tensor, Visit visit) {
  const std::vector<int64_t> &extents = call.binding.extents;
  std::vector<int64_t> strides(extents.size());
  int64_t stride = 1;
  for (auto axis = call.binding.order.rbegin(); axis != call.binding.order.rend(); ++axis)
    if (call.program().axes_of(tensor) & axis_bit(*axis)) {
      strides[size_t(*axis)] = stride;
      stride *= extents[size_t(*axis)];
    }
  for (int64_t k = 0; k < stride; ++k) {
    int64_t rest = k, offset = 0;
    for (auto axis = tensor.axes.rbegin(); axis != tensor.axes.rend(); ++axis) {
      offset += rest % extents[size_t(*axis)] * strides[size_t(*axis)];
      rest /= extents[size_t(*axis)];
    }
    visit(size_t(k), size_t(offset));
  }
}

} // namespace

BoundCall bind_call(const CallWords &words) {
  const NormRef norm = find_norm(words.norm);
  const Program &program = norm->program;
  check_names(program, "input", words.inputs, is_input);
  check_names(program, "output", words.outputs, is_output);
  check_names(program, "tensor", words.dtypes, is_any);
  check_names(program, "tensor", words.axes, is_any);
  for (const auto &[name, dtype] : words.dtypes)
    if (!words.inputs.contains(name) && !words.outputs.contains(name))
      throw UserError("--dtype " + name + "=" + dtype + ": '" + name + "' is neither read nor written");
  std::vector<double> scalars = normforge::scalar_values(program, scalar_values(words.scalars));

  std::map<std::string, NpyArray> arrays;
  for (const auto &[name, path] : words.inputs)
    arrays.emplace(name, read_npy(path));
  Binding binding = bind_axes(norm, words, arrays);
  check_requirements(program, binding.extents, scalars);
  Problem problem = make_problem(words, binding, arrays);

  BoundCall call{std::move(problem), std::move(binding), {}, {}, std::move(scalars)};
  for (size_t index = 0; index < program.tensors.size(); ++index) {
    const Tensor &tensor = program.tensors[index];
    const bool output = call.problem.wants(int(index));
    if (const auto array = arrays.find(tensor.name); array != arrays.end())
      call.memory.push_back(std::move(array->second.bytes));
    else
      call.memory.emplace_back(output ? size_t(elements(call.binding.shape(int(index))) * info(*call.problem.dtypes[index]).bytes) : 0);
    call.tensors.push_back(output || arrays.contains(tensor.name) ? call.memory.back().data() : nullptr);
  }
  return call;
}

void run_reference(BoundCall &call) {
  ReferenceInputs inputs;
  for (size_t index = 0; index < call.program().tensors.size(); ++index) {
    const Tensor &tensor = call.program().tensors[index];
    if (!call.tensors[index] || tensor.role == Tensor::output)
      continue;
    ReferenceArray &array = inputs.tensors[tensor.name];
    for (int axis : tensor.axes)
      array.extents.push_back(call.binding.extents[size_t(axis)]);
    array.values.resize(size_t(elements(array.extents)));
    for_each_element(call, tensor, [&](size_t k, size_t offset) {
      array.values[k] = load_element(*call.problem.dtypes[index], call.tensors[index], offset);
    });
  }
  for (size_t scalar = 0; scalar < call.scalars.size(); ++scalar)
    inputs.scalars[call.program().scalars[scalar].name] = call.scalars[scalar];
  for (const auto &[name, array] : evaluate(call.problem, call.binding.extents, inputs)) {
    const size_t index = size_t(call.program().tensor_named(name));
    if (call.tensors[index])
      for_each_element(call, call.program().tensors[index], [&](size_t k, size_t offset) {
        store_element(*call.problem.dtypes[index], call.tensors[index], offset, array.values[k]);
      });
  }
}

} // namespace normforge::cli
