// norm.func -> Program. Axes, tensors and parameters keep the order of their declarations, nodes that of their operations.
#include "llvm/ADT/DenseMap.h"

#include "dsl/dialect/convert.h"
#include "dsl/error.h"

using namespace mlir;

namespace normforge::dialect {
namespace {

struct Exporter {
  FuncOp func;
  Program program;
  llvm::DenseMap<StringAttr, int> axes, symbols; // symbols: tensors and parameters, each by its own index
  llvm::DenseMap<Value, NodeId> nodes;

  explicit Exporter(FuncOp func) : func(func) {}

  int symbol(FlatSymbolRefAttr name) { return symbols.at(name.getAttr()); }
  AxisSet axis_set(ArrayRef<StringAttr> names) {
    AxisSet set = 0;
    for (StringAttr name : names)
      set |= axis_bit(axes.at(name));
    return set;
  }

  void declare() {
    for (AxisOp op : func.declared<AxisOp>())
      axes[op.getNameAttr()] = int(axes.size());
    for (auto [index, op] : llvm::enumerate(func.declared<TensorOp>())) {
      symbols[op.getSymNameAttr()] = int(index);
      Tensor tensor{op.getSymName().str(), {}, Tensor::Role(op.getRole()), {}};
      for (StringAttr axis : op.getAxes().getNames())
        tensor.axes.push_back(axes.at(axis));
      if (op.getFallback())
        tensor.fallback = op.getFallback()->convertToDouble();
      if (op.getUsualDtype())
        tensor.dtype = dtype_of(*op.getUsualDtype());
      program.tensors.push_back(std::move(tensor));
    }
    for (AxisOp op : func.declared<AxisOp>())
      program.axes.push_back({op.getName().str(), op.getPack(), op.getLengthAttr() ? symbol(op.getLengthAttr()) : -1});
    for (auto [index, op] : llvm::enumerate(func.declared<ParameterOp>())) {
      symbols[op.getSymNameAttr()] = int(index);
      Scalar scalar{op.getSymName().str(), op.getFallback().convertToDouble()};
      auto bound = [](FloatAttr closed, FloatAttr open, double &value, bool &is_open) {
        if (FloatAttr here = open ? open : closed)
          value = here.getValueAsDouble();
        is_open = bool(open);
      };
      bound(op.getAtLeastAttr(), op.getAboveAttr(), scalar.lo, scalar.lo_open);
      bound(op.getAtMostAttr(), op.getBelowAttr(), scalar.hi, scalar.hi_open);
      if (op.getChoices())
        scalar.set = op.getChoices()->vec();
      program.scalars.push_back(std::move(scalar));
    }
  }

  void add_node(Operation &op, Op code) {
    Node node{code, axis_set(axes_of(op.getResult(0)))};
    for (auto [index, operand] : llvm::enumerate(op.getOperands()))
      node.operands[index] = nodes.at(operand);
    if (auto over = op.getAttrOfType<AxesAttr>("over"))
      node.over = axis_set(over.getNames());
    if (auto constant = llvm::dyn_cast<ConstantOp>(op))
      node.value = constant.getValue().convertToDouble();
    else if (auto power = llvm::dyn_cast<PowOp>(op))
      node.value = double(int64_t(power.getExponent()));
    else if (auto scalar = llvm::dyn_cast<ScalarOp>(op))
      node.symbol = symbol(scalar.getParameterAttr());
    else if (auto cast = llvm::dyn_cast<CastOp>(op))
      node.dtype = *dtype_of(cast.getDtype());
    else if (auto tensor = op.getAttrOfType<FlatSymbolRefAttr>("tensor"))
      node.symbol = symbol(tensor);
    nodes[op.getResult(0)] = NodeId(program.nodes.size());
    program.nodes.push_back(node);
  }

  void run() {
    program.name = func.getSymName();
    declare();
    for (Operation &op : func.getBody().getOps()) {
      if (std::optional<Op> code = op_of(&op))
        add_node(op, *code);
      else if (auto write = llvm::dyn_cast<WriteOp>(op))
        program.outputs.push_back({symbol(write.getTensorAttr()), nodes.at(write.getValue())});
      else if (auto require = llvm::dyn_cast<RequireOp>(op))
        program.requirements.push_back(
            {Op(int(Op::less) + int(require.getCompare())), nodes.at(require.getLhs()), nodes.at(require.getRhs())});
    }
  }
};

} // namespace

Program export_program(FuncOp func) {
  Exporter exporter(func);
  exporter.run();
  return std::move(exporter.program);
}

} // namespace normforge::dialect
