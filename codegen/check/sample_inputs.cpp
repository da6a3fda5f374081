#include "codegen/check/sample_inputs.h"

#include <cmath>

namespace normforge {

bool present(const Problem &problem, int tensor) {
  const bool output = problem.norm->program.tensors[size_t(tensor)].role == Tensor::output;
  return output ? problem.wants(tensor) : problem.dtypes[size_t(tensor)].has_value();
}

SampleValues::SampleValues(const Problem &problem, int index, const std::vector<int64_t> &extents, const Values &values)
    : dtype(*problem.dtypes[size_t(index)]), mean(values.mean) {
  const Program &program = problem.norm->program;
  const Tensor &tensor = program.tensors[size_t(index)];
  for (size_t axis = 0; axis < program.axes.size(); ++axis)
    if (program.axes[axis].length == index)
      bounded = extents[axis];
  if (tensor.role == Tensor::length)
    kind = length;
  else if (tensor.name.starts_with("count"))
    kind = count;
  else if (tensor.name.find("var") != std::string::npos || tensor.name.starts_with("m2"))
    kind = variance;
  else if (tensor.fallback)
    kind = parameter;
}

double SampleValues::next(Random &random) {
  double value = random.normal();
  switch (kind) {
  case length: value = double(int64_t(random.bits() % uint64_t(bounded + 3)) - 1); break;
  case count: value = double(random.bits() % 1000); break;
  case variance: value = 0.5 + std::fabs(value); break;
  case parameter: value = 1 + 0.25 * value; break;
  case plain: value += mean; break;
  }
  return round_to(dtype, value);
}

ReferenceInputs make_inputs(const Problem &problem, const std::vector<int64_t> &extents, const Values &values) {
  ReferenceInputs inputs;
  Random random(values.seed);
  const Program &program = problem.norm->program;
  for (size_t t = 0; t < program.tensors.size(); ++t) {
    const Tensor &tensor = program.tensors[t];
    if (tensor.role == Tensor::output || !present(problem, int(t)))
      continue;
    ReferenceArray &array = inputs.tensors[tensor.name];
    size_t size = 1;
    for (int axis : tensor.axes) {
      array.extents.push_back(extents[size_t(axis)]);
      size *= size_t(extents[size_t(axis)]);
    }
    SampleValues sample(problem, int(t), extents, values);
    for (size_t i = 0; i < size; ++i)
      array.values.push_back(sample.next(random));
  }
  return inputs;
}

} // namespace normforge
