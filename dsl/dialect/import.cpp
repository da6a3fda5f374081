// Program -> norm.func. Generic over the Op table: an operation has the name of its row, and what a node carries beside operands becomes
// attributes.
#include "mlir/IR/Verifier.h"

#include "dsl/dialect/convert.h"
#include "dsl/error.h"

using namespace mlir;

namespace normforge::dialect {
namespace {

struct Importer {
  const Program &program;
  ArrayRef<std::string> node_names;
  OpBuilder builder;
  FuncOp func;
  std::vector<Value> values; // by NodeId

  StringAttr axis_name(int axis) { return builder.getStringAttr(program.axes[size_t(axis)].name); }
  FlatSymbolRefAttr tensor_name(int tensor) { return FlatSymbolRefAttr::get(builder.getContext(), program.tensors[size_t(tensor)].name); }

  AxisNames names(AxisSet set) {
    AxisNames names;
    for (int axis = 0; axis < int(program.axes.size()); ++axis)
      if (set & axis_bit(axis))
        names.push_back(axis_name(axis));
    return names;
  }

  void declare_axis(int index) {
    const Axis &axis = program.axes[size_t(index)];
    AxisOp::create(builder, func.getLoc(), axis_name(index), axis.pack ? builder.getUnitAttr() : UnitAttr(),
                   axis.length < 0 ? FlatSymbolRefAttr() : tensor_name(axis.length), builder.getDenseI64ArrayAttr({index}),
                   DenseI64ArrayAttr());
  }

  void declare_tensor(const Tensor &tensor) {
    AxisNames axes;
    for (int axis : tensor.axes)
      axes.push_back(axis_name(axis));
    TensorOp::create(builder, func.getLoc(), Role(tensor.role), tensor.name, AxesAttr::get(builder.getContext(), axes),
                     tensor.fallback ? builder.getF64FloatAttr(*tensor.fallback) : FloatAttr(),
                     tensor.dtype ? TypeAttr::get(type_of(builder.getContext(), *tensor.dtype)) : TypeAttr(), Strides::dense, false,
                     TypeAttr());
  }

  void declare_parameter(const Scalar &scalar) {
    auto bound = [&](double value, bool here) { return here && scalar.set.empty() ? builder.getF64FloatAttr(value) : FloatAttr(); };
    const double infinity = std::numeric_limits<double>::infinity();
    ParameterOp::create(builder, func.getLoc(), builder.getStringAttr(scalar.name), builder.getF64FloatAttr(scalar.fallback),
                        bound(scalar.lo, !scalar.lo_open && scalar.lo != -infinity), bound(scalar.lo, scalar.lo_open),
                        bound(scalar.hi, !scalar.hi_open && scalar.hi != infinity), bound(scalar.hi, scalar.hi_open),
                        scalar.set.empty() ? DenseF64ArrayAttr() : builder.getDenseF64ArrayAttr(scalar.set));
  }

  void add_node(const Node &node, Location location) {
    const OpInfo &row = info(node.op);
    OperationState state(location, "norm." + std::string(node.op == Op::tensor ? "read" : row.name));
    for (int i = 0; i < row.operands; ++i)
      state.addOperands(values[size_t(node.operands[size_t(i)])]);
    switch (node.op) {
    case Op::constant: state.addAttribute("value", builder.getF64FloatAttr(node.value)); break;
    case Op::scalar:
      state.addAttribute("parameter", FlatSymbolRefAttr::get(builder.getContext(), program.scalars[size_t(node.symbol)].name));
      break;
    case Op::tensor:
    case Op::stored: state.addAttribute("tensor", tensor_name(node.symbol)); break;
    case Op::pow: state.addAttribute("exponent", builder.getI64IntegerAttr(int64_t(node.value))); break;
    case Op::cast: state.addAttribute("dtype", TypeAttr::get(type_of(builder.getContext(), node.dtype))); break;
    default: break;
    }
    if (node.over)
      state.addAttribute("over", AxesAttr::get(builder.getContext(), names(node.over)));
    AxesAttr axes = sorted_axes(builder.getContext(), names(node.axes));
    state.addTypes(row.kind == OpInfo::compare ? Type(TruthType::get(builder.getContext(), axes))
                                               : Type(ValueType::get(builder.getContext(), axes)));
    values.push_back(builder.create(state)->getResult(0));
  }

  Comparison comparison(Op op) {
    internal_check(op == Op::less || op == Op::less_equal || op == Op::equal);
    return Comparison(int(op) - int(Op::less));
  }

  void run() {
    builder.createBlock(&func.getSignature());
    for (int axis = 0; axis < int(program.axes.size()); ++axis)
      declare_axis(axis);
    for (const Tensor &tensor : program.tensors)
      declare_tensor(tensor);
    for (const Scalar &scalar : program.scalars)
      declare_parameter(scalar);
    builder.createBlock(&func.getBody());
    for (auto [id, node] : llvm::enumerate(program.nodes))
      add_node(node,
               id < node_names.size() && !node_names[id].empty() ? location_named(builder.getContext(), node_names[id]) : func.getLoc());
    for (const Requirement &requirement : program.requirements)
      RequireOp::create(builder, func.getLoc(), comparison(requirement.compare), values[size_t(requirement.lhs)],
                        values[size_t(requirement.rhs)]);
    for (const Output &output : program.outputs)
      WriteOp::create(builder, func.getLoc(), values[size_t(output.node)], tensor_name(output.tensor));
  }
};

} // namespace

OwningOpRef<FuncOp> import_program(MLIRContext &context, const Program &program, ArrayRef<std::string> node_names) {
  OpBuilder builder(&context);
  OwningOpRef<FuncOp> func = FuncOp::create(builder, builder.getUnknownLoc(), program.name, AxesAttr());
  Importer{program, node_names, builder, *func, {}}.run();
  std::string message;
  ScopedDiagnosticHandler collect(&context, [&](Diagnostic &diagnostic) { message += diagnostic.str() + "; "; });
  if (failed(verify(*func)))
    throw InternalError("norm " + program.name + " is malformed: " + message);
  return func;
}

void bind_problem(FuncOp func, const Problem &problem) {
  Builder builder(func.getContext());
  for (auto [axis, extent] : llvm::zip_equal(func.declared<AxisOp>(), problem.extents))
    if (extent != Extent{})
      axis.setExtent(ArrayRef<int64_t>{extent.lo, extent.hi});
  for (auto [index, tensor] : llvm::enumerate(func.declared<TensorOp>())) {
    if (const std::optional<DType> dtype = problem.dtypes[index])
      tensor.setDtypeAttr(TypeAttr::get(type_of(func.getContext(), *dtype)));
    tensor.setStrides(Strides(problem.layouts[index]));
    tensor.setUnwanted(tensor.getRole() == Role::output && !problem.wants(int(index)));
  }
  AxisNames order;
  for (int axis : problem.order)
    order.push_back(builder.getStringAttr(problem.norm->program.axes[size_t(axis)].name));
  func.setOrderAttr(AxesAttr::get(func.getContext(), order));
}

} // namespace normforge::dialect
