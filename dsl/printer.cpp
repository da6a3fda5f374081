// Canonical text of a norm. Named nodes are statements, the others stand inline with the fewest parentheses that keep the tree: `a - (b -
// c)` and `(a - b) - c` are different programs, for they round differently.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "dsl/checker.h"

namespace normforge {
namespace {

constexpr size_t kWidth = 110; ///< of a signature's lines

// How tightly an expression binds; an operand that binds less than its place asks for stands in parentheses.
enum Binding { kComparison, kSum, kProduct, kUnary, kPower, kPrimary };

struct Infix {
  Op op;
  std::string_view sign;
  Binding binding;
};
constexpr Infix kInfix[] = {{Op::add, " + ", kSum},          {Op::sub, " - ", kSum},         {Op::mul, " * ", kProduct},
                            {Op::div, " / ", kProduct},      {Op::less, " < ", kComparison}, {Op::less_equal, " <= ", kComparison},
                            {Op::equal, " == ", kComparison}};

const Infix *infix(Op op) {
  for (const Infix &row : kInfix)
    if (row.op == op)
      return &row;
  return nullptr;
}

struct Printer {
  const Norm &norm;
  const Program &program = norm.program;

  /// "a, b", with what a split is called outside where its parts stand side by side.
  std::string axis_names(const std::vector<int> &axes, std::vector<bool> *declared) const {
    std::string out;
    for (size_t i = 0; i < axes.size();) {
      out += out.empty() ? "" : ", ";
      const AxisSplit *whole = nullptr;
      for (const AxisSplit &split : norm.splits)
        if (axes.size() - i >= split.parts.size() && std::equal(split.parts.begin(), split.parts.end(), axes.begin() + ptrdiff_t(i)))
          whole = &split;
      const size_t index = size_t(axes[i]);
      const bool fresh = declared && !(*declared)[index];
      if (declared)
        (*declared)[index] = true;
      if (whole) {
        out += whole->name;
        for (size_t part = 0; fresh && part < whole->parts.size(); ++part)
          out += (part ? " * " : " = ") + program.axes[size_t(whole->parts[part])].name;
        i += whole->parts.size();
        continue;
      }
      const Axis &axis = program.axes[index];
      out += axis.name + (axis.pack && declared ? "..." : "");
      if (fresh && axis.length >= 0) {
        const Tensor &length = program.tensors[size_t(axis.length)];
        out += " < " + length.name + "[" + axis_names(length.axes, nullptr) + "]";
      }
      ++i;
    }
    return out;
  }

  std::string tensor(const Tensor &tensor, std::vector<bool> &declared) const {
    std::string out = (tensor.role == Tensor::inout ? "inout " : "") + tensor.name + "[" + axis_names(tensor.axes, &declared) + "]";
    if (tensor.dtype)
      out += ": " + std::string(name(*tensor.dtype));
    if (tensor.fallback)
      out += " = " + number_text(*tensor.fallback);
    return out;
  }

  static std::string scalar(const Scalar &scalar) {
    std::string out = scalar.name + " = " + number_text(scalar.fallback);
    const bool anything = scalar.set.empty() && std::isinf(scalar.lo) && std::isinf(scalar.hi) && !scalar.lo_open && !scalar.hi_open;
    return anything ? out : out + " in " + domain_text(scalar);
  }

  std::string over(AxisSet set) const {
    std::vector<int> axes;
    for (int axis = 0; axis < int(program.axes.size()); ++axis)
      if (set & axis_bit(axis))
        axes.push_back(axis);
    return axis_names(axes, nullptr);
  }

  std::string operand(NodeId id, Binding place) const {
    if (!norm.node_names[size_t(id)].empty())
      return norm.node_names[size_t(id)];
    return expression(id, place);
  }

  std::string expression(NodeId id, Binding place) const {
    const Node &node = program.node(id);
    const auto [text, binding] = bare(node);
    return binding < place ? "(" + text + ")" : text;
  }

  std::pair<std::string, Binding> bare(const Node &node) const {
    if (const Infix *row = infix(node.op))
      return {operand(node.operands[0], row->binding == kComparison ? kSum : row->binding) + std::string(row->sign) +
                  operand(node.operands[1], Binding(row->binding + 1)),
              row->binding};
    switch (node.op) {
    case Op::constant: return {number_text(node.value), std::signbit(node.value) ? kUnary : kPrimary};
    case Op::scalar: return {program.scalars[size_t(node.symbol)].name, kPrimary};
    case Op::tensor: return {program.tensors[size_t(node.symbol)].name, kPrimary};
    case Op::count: return {"count(" + over(node.over) + ")", kPrimary};
    case Op::neg: return {"-" + operand(node.operands[0], kUnary), kUnary};
    case Op::pow: return {operand(node.operands[0], kPrimary) + "^" + number_text(node.value), kPower};
    case Op::stored: return {"stored(" + program.tensors[size_t(node.symbol)].name + ")", kPrimary};
    default: break;
    }
    std::string out = std::string(node.op == Op::cast      ? name(node.dtype)
                                  : node.op == Op::maximum ? info(Op::max).name
                                  : node.op == Op::minimum ? info(Op::min).name
                                                           : info(node.op).name) +
                      "(";
    for (int i = 0; i < info(node.op).operands; ++i)
      out += (i ? ", " : "") + operand(node.operands[size_t(i)], kComparison);
    if (node.over)
      out += ", " + over(node.over);
    return {out + ")", kPrimary};
  }

  std::string requirement(const Requirement &r) const {
    return operand(r.lhs, kSum) + std::string(infix(r.compare)->sign) + operand(r.rhs, kSum);
  }

  std::string line(const BodyLine &line) const {
    if (line.kind == BodyLine::value)
      return norm.node_names[size_t(line.index)] + " = " + expression(line.index, kSum);
    if (line.kind == BodyLine::requirement)
      return "require " + requirement(program.requirements[size_t(line.index)]);
    const Output &output = program.outputs[size_t(line.index)];
    const Tensor &tensor = program.tensors[size_t(output.tensor)];
    return (tensor.role == Tensor::inout ? "next " : "") + tensor.name + " = " + operand(output.node, kSum);
  }

  /// Appends items separated by commas, breaking lines at kWidth.
  static void fill(std::string &out, const std::vector<std::string> &items, std::string_view indent) {
    for (size_t i = 0; i < items.size(); ++i) {
      const size_t column = out.size() - (out.rfind('\n') + 1);
      if (i && column + items[i].size() + 1 > kWidth)
        out.append("\n").append(indent);
      else if (i)
        out += ' ';
      out += items[i] + (i + 1 < items.size() ? "," : "");
    }
  }

  std::string text() const {
    std::vector<bool> declared(program.axes.size());
    std::vector<std::string> inputs, outputs;
    for (const Tensor &t : program.tensors)
      if (t.role == Tensor::input || t.role == Tensor::inout)
        inputs.push_back(tensor(t, declared));
    for (const Tensor &t : program.tensors)
      if (t.role == Tensor::output)
        outputs.push_back(tensor(t, declared));
    std::string out = "norm " + program.name + "(";
    const std::string indent(out.size(), ' ');
    fill(out, inputs, indent);
    if (!program.scalars.empty()) {
      std::vector<std::string> scalars;
      for (const Scalar &s : program.scalars)
        scalars.push_back(scalar(s));
      const size_t column = out.size() - (out.rfind('\n') + 1);
      out += column + scalars[0].size() + 2 > kWidth ? ";\n" + indent : "; ";
      fill(out, scalars, indent);
    }
    out += ")";
    if (!outputs.empty()) {
      out += "\n    -> ";
      fill(out, outputs, "       ");
    }
    out += " {\n";
    for (const BodyLine &each : body_lines(norm))
      out += "  " + line(each) + "\n";
    return out + "}\n";
  }
};

} // namespace

std::string number_text(double value) {
  char buffer[40];
  char *end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string out(buffer, end);
  // 1e-05 is 1e-5 to a person.
  if (const size_t e = out.find('e'); e != out.npos && e + 2 < out.size() && out[e + 2] == '0')
    out.erase(e + 2, 1);
  return out;
}

std::string domain_text(const Scalar &scalar) {
  if (scalar.set.empty())
    return (scalar.lo_open ? "(" : "[") + number_text(scalar.lo) + ", " + number_text(scalar.hi) + (scalar.hi_open ? ")" : "]");
  std::string out;
  for (double value : scalar.set)
    out += (out.empty() ? "{" : ", ") + number_text(value);
  return out + "}";
}

std::string requirement_text(const Program &program, const Requirement &requirement) {
  Norm norm;
  norm.program = program;
  norm.node_names.resize(program.nodes.size());
  return Printer{norm}.requirement(requirement);
}

std::string definition_text(const Norm &norm) { return Printer{norm}.text(); }

std::string to_text(const Norm &norm) {
  std::string out;
  std::string_view rest = norm.doc;
  while (!norm.doc.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    out.append(line.empty() ? "///" : "/// ").append(line).append("\n");
    if (line.size() == rest.size())
      break;
    rest.remove_prefix(line.size() + 1);
  }
  return out + definition_text(norm);
}

} // namespace normforge
