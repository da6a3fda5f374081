// What a well-formed norm.func is: names are declared, once; results vary over the axes that follow from their operands; outputs are
// written once, and no more widely than they are.
#include "dsl/dialect/dialect.h"

#include "llvm/ADT/SmallSet.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace normforge::dialect {

static FuncOp func_of(Operation *op) { return op->getParentOfType<FuncOp>(); }

static std::string text(ArrayRef<StringAttr> axes) {
  return "<" + llvm::join(llvm::map_range(axes, [](StringAttr axis) { return axis.getValue(); }), ", ") + ">";
}

static LogicalResult verify_axes_exist(Operation *op, ArrayRef<StringAttr> axes) {
  for (StringAttr axis : axes)
    if (!func_of(op).axis(axis))
      return op->emitOpError() << "names axis " << axis.getValue() << ", which is not declared";
  return success();
}

/// The tensor that `op` names, if it has one of `roles`.
static FailureOr<TensorOp> verify_tensor(Operation *op, FlatSymbolRefAttr name, ArrayRef<Role> roles) {
  TensorOp tensor = func_of(op).tensor(name);
  if (!tensor)
    return op->emitOpError() << "names tensor " << name << ", which is not declared";
  if (!llvm::is_contained(roles, tensor.getRole()))
    return op->emitOpError() << "does not fit tensor " << name << ", which is an " << stringifyRole(tensor.getRole());
  return tensor;
}

//===-- Signature ----------------------------------------------------------------------------------------------------------------===//

LogicalResult AxisOp::verify() {
  if (getExtent() && (getExtent()->size() != 2 || (*getExtent())[0] < 0 || (*getExtent())[0] > (*getExtent())[1]))
    return emitOpError("extent is a range [lo, hi] with 0 <= lo <= hi");
  if (!getLengthAttr())
    return success();
  TensorOp length = func_of(*this).tensor(getLengthAttr());
  if (!length || length.getRole() != Role::length)
    return emitOpError() << "is bounded by " << getLengthAttr() << ", which is no length tensor";
  if (llvm::is_contained(length.getAxes().getNames(), getNameAttr()))
    return emitOpError() << "is bounded by " << getLengthAttr() << ", which varies over this very axis";
  return success();
}

LogicalResult TensorOp::verify() {
  if (getFallback() && getRole() != Role::input)
    return emitOpError("has a default, but is no input");
  if (getUnwanted() && getRole() != Role::output)
    return emitOpError("is unwanted, but is no output");
  for (std::optional<Type> type : {getDtype(), getUsualDtype()})
    if (type && !dtype_of(*type))
      return emitOpError() << "has type " << *type << ", which is no dtype";
  return verify_axes_exist(*this, getAxes().getNames());
}

LogicalResult FuncOp::verifyRegions() {
  llvm::DenseSet<StringAttr> axes, symbols, written;
  for (Operation &op : getSignature().getOps()) {
    if (!llvm::isa<AxisOp, TensorOp, ParameterOp>(op))
      return op.emitOpError("does not belong in a signature");
    StringAttr name = llvm::isa<AxisOp>(op) ? llvm::cast<AxisOp>(op).getNameAttr() : op.getAttrOfType<StringAttr>("sym_name");
    if (!(llvm::isa<AxisOp>(op) ? axes : symbols).insert(name).second)
      return op.emitOpError() << "declares " << name.getValue() << " a second time";
  }
  for (Operation &op : getBody().getOps()) {
    if (!op_of(&op) && !llvm::isa<WriteOp, RequireOp>(op))
      return op.emitOpError("does not belong in a body");
    if (auto write = llvm::dyn_cast<WriteOp>(op); write && !written.insert(write.getTensorAttr().getAttr()).second)
      return op.emitOpError() << "writes " << write.getTensorAttr() << " a second time";
  }
  if (AxesAttr order = getOrderAttr())
    if (order.getNames().size() != axes.size() || !llvm::all_of(order.getNames(), [&](StringAttr axis) { return axes.contains(axis); }))
      return emitOpError() << "order " << text(order.getNames()) << " does not name every axis once";
  return success();
}

//===-- Body ---------------------------------------------------------------------------------------------------------------------===//

LogicalResult ScalarOp::verify() {
  if (!func_of(*this).parameter(getParameterAttr()))
    return emitOpError() << "names parameter " << getParameterAttr() << ", which is not declared";
  return success();
}

LogicalResult ReadOp::verify() {
  FailureOr<TensorOp> tensor = verify_tensor(*this, getTensorAttr(), {Role::input, Role::inout, Role::length});
  if (failed(tensor))
    return failure();
  AxesAttr expected = sorted_axes(getContext(), AxisNames(tensor->getAxes().getNames()));
  if (getType().getAxes() != expected)
    return emitOpError() << "varies over " << text(axes_of(getResult())) << "; expected " << text(expected.getNames());
  return success();
}

LogicalResult verify_over(Operation *op) {
  AxesAttr over = op->getAttrOfType<AxesAttr>("over");
  if (over.getNames().empty())
    return op->emitOpError("names no axis");
  if (failed(verify_axes_exist(op, over.getNames())))
    return failure();
  AxesAttr expected = over_result_axes(func_of(op), op);
  if (axes_of(op->getResult(0)) != expected.getNames())
    return op->emitOpError() << "varies over " << text(axes_of(op->getResult(0))) << "; expected " << text(expected.getNames());
  return success();
}

LogicalResult CountOp::verify() { return verify_over(*this); }

LogicalResult CastOp::verify() {
  return dtype_of(getDtype()) ? success() : LogicalResult(emitOpError() << "to " << getDtype() << ", which is no dtype");
}

LogicalResult StoredOp::verify() { return verify_tensor(*this, getTensorAttr(), {Role::output, Role::inout}); }

LogicalResult WriteOp::verify() {
  FailureOr<TensorOp> tensor = verify_tensor(*this, getTensorAttr(), {Role::output, Role::inout});
  if (failed(tensor))
    return failure();
  for (StringAttr axis : axes_of(getValue()))
    if (!llvm::is_contained(tensor->getAxes().getNames(), axis))
      return emitOpError() << "a value over " << axis.getValue() << " to " << getTensorAttr() << ", which lacks that axis";
  return success();
}

} // namespace normforge::dialect
