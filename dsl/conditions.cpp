#include "dsl/conditions.h"

#include "dsl/error.h"
#include "dsl/norm.h"
#include "dsl/words.h"

namespace normforge {
std::vector<double> scalar_values(const Program &program, const std::map<std::string, double> &given) {
  std::vector<double> values;
  for (const Scalar &scalar : program.scalars) {
    const auto found = given.find(scalar.name);
    values.push_back(found == given.end() ? scalar.fallback : found->second);
    if (!scalar.allows(values.back()))
      throw UserError(program.name + ": " + scalar.name + " = " + number_text(values.back()) + " is outside its domain " +
                      domain_text(scalar));
  }
  for (const auto &[name, value] : given)
    if (program.scalar_named(name) < 0)
      throw UserError(program.name + ": " + unknown_name("scalar", name, names_of(program.scalars)));
  return values;
}

void check_requirements(const Program &program, const std::vector<int64_t> &extents, const std::vector<double> &scalars) {
  const auto value = [&](NodeId id) {
    const Node &node = program.node(id);
    if (node.op == Op::scalar)
      return scalars[size_t(node.symbol)];
    if (node.op == Op::constant)
      return node.value;
    double count = 1;
    for (size_t axis = 0; axis < extents.size(); ++axis)
      if (node.over & axis_bit(int(axis)))
        count *= double(extents[axis]);
    return count;
  };
  for (const Requirement &requirement : program.requirements) {
    const double lhs = value(requirement.lhs), rhs = value(requirement.rhs);
    const bool holds = requirement.compare == Op::less ? lhs < rhs : requirement.compare == Op::less_equal ? lhs <= rhs : lhs == rhs;
    if (!holds)
      throw UserError(program.name + ": requires " + requirement_text(program, requirement) + ", found " + number_text(lhs) + " and " +
                      number_text(rhs));
  }
}

} // namespace normforge
