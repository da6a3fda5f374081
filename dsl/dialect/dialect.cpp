// Registration of the `norm` dialect, and its functions on sets of axes.
#include "dsl/dialect/dialect.h"
#include "dsl/dialect/text.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "dsl/dialect/norm_dialect.cpp.inc"
#include "dsl/dialect/norm_enums.cpp.inc"

namespace normforge::dialect {

//===-- Sets of axes -----------------------------------------------------------------------------------------------------------------===//

AxesAttr sorted_axes(MLIRContext *context, AxisNames names) {
  llvm::sort(names, [](StringAttr a, StringAttr b) { return a.getValue() < b.getValue(); });
  names.erase(llvm::unique(names), names.end());
  return AxesAttr::get(context, names);
}

ArrayRef<StringAttr> axes_of(Type type) {
  if (auto truth = llvm::dyn_cast<TruthType>(type))
    return truth.getAxes().getNames();
  return llvm::cast<ValueType>(type).getAxes().getNames();
}

AxesAttr union_of_axes(MLIRContext *context, ValueRange values) {
  AxisNames names;
  for (Value value : values)
    llvm::append_range(names, axes_of(value));
  return sorted_axes(context, std::move(names));
}

//===-- Operations ---------------------------------------------------------------------------------------------------------------===//

std::optional<Op> op_of(Operation *op) {
  if (llvm::isa<ReadOp>(op))
    return Op::tensor;
  if (llvm::isa<FuncOp, AxisOp, TensorOp, ParameterOp, WriteOp, RequireOp>(op))
    return std::nullopt;
  return op_named(op->getName().stripDialect());
}

llvm::StringRef result_name(Operation *op) {
  for (const char *symbol : {"tensor", "parameter"})
    if (auto name = op->getAttrOfType<FlatSymbolRefAttr>(symbol); name && op->getNumOperands() == 0)
      return name.getValue();
  return op->getName().stripDialect();
}

Location location_named(MLIRContext *context, StringRef name) { return NameLoc::get(StringAttr::get(context, name)); }

template <class Declaration> static Declaration declaration_named(FuncOp func, StringAttr name, StringAttr (*name_of)(Declaration)) {
  for (Declaration declaration : func.declared<Declaration>())
    if (name_of(declaration) == name)
      return declaration;
  return {};
}

AxisOp FuncOp::axis(StringAttr name) {
  return declaration_named<AxisOp>(*this, name, [](AxisOp op) { return op.getNameAttr(); });
}
TensorOp FuncOp::tensor(FlatSymbolRefAttr name) {
  return declaration_named<TensorOp>(*this, name.getAttr(), [](TensorOp op) { return op.getSymNameAttr(); });
}
ParameterOp FuncOp::parameter(FlatSymbolRefAttr name) {
  return declaration_named<ParameterOp>(*this, name.getAttr(), [](ParameterOp op) { return op.getSymNameAttr(); });
}

ArrayRef<StringAttr> FuncOp::length_axes(StringAttr name) {
  AxisOp declaration = axis(name);
  TensorOp length = declaration && declaration.getLengthAttr() ? tensor(declaration.getLengthAttr()) : TensorOp();
  return length ? length.getAxes().getNames() : ArrayRef<StringAttr>();
}

AxesAttr FuncOp::in_declared_order(ArrayRef<StringAttr> axes) {
  AxisNames names;
  for (AxisOp axis : declared<AxisOp>())
    if (llvm::is_contained(axes, axis.getNameAttr()))
      names.push_back(axis.getNameAttr());
  return AxesAttr::get(getContext(), names);
}

Type FuncOp::compute_type() {
  Builder builder(getContext());
  for (TensorOp tensor : declared<TensorOp>())
    if (tensor.getRole() != Role::output && tensor.getDtype() == builder.getF64Type())
      return builder.getF64Type();
  return builder.getF32Type();
}

AxesAttr axes_less(ArrayRef<StringAttr> axes, AxesAttr over) {
  AxisNames names(axes);
  llvm::erase_if(names, [&](StringAttr name) { return llvm::is_contained(over.getNames(), name); });
  return sorted_axes(over.getContext(), std::move(names));
}

AxesAttr axes_reduced(FuncOp func, ArrayRef<StringAttr> axes, AxesAttr over) {
  AxisNames names(axes);
  for (StringAttr axis : over.getNames())
    llvm::append_range(names, func.length_axes(axis));
  return axes_less(names, over);
}

AxesAttr over_result_axes(FuncOp func, Operation *op) {
  const AxesAttr over = op->getAttrOfType<AxesAttr>("over");
  const ArrayRef<StringAttr> axes = op->getNumOperands() ? axes_of(op->getOperand(0)) : ArrayRef<StringAttr>();
  return llvm::isa<FirstOp>(op) ? axes_less(axes, over) : axes_reduced(func, axes, over);
}

bool lengths_vary_within(FuncOp func, AxesAttr over) {
  return llvm::any_of(over.getNames(), [&](StringAttr axis) {
    return llvm::any_of(func.length_axes(axis), [&](StringAttr outer) { return llvm::is_contained(over.getNames(), outer); });
  });
}

void infer_types(FuncOp func) {
  for (Operation &op : func.getBody().getOps()) {
    if (op.hasAttr("over")) {
      op.getResult(0).setType(ValueType::get(func.getContext(), over_result_axes(func, &op)));
    } else if (llvm::isa<InferTypeOpInterface>(op)) {
      AxesAttr axes = union_of_axes(func.getContext(), op.getOperands());
      if (llvm::isa<TruthType>(op.getResult(0).getType()))
        op.getResult(0).setType(TruthType::get(func.getContext(), axes));
      else
        op.getResult(0).setType(ValueType::get(func.getContext(), axes));
    }
  }
}

//===-- Dtypes -------------------------------------------------------------------------------------------------------------------===//

Type type_of(MLIRContext *context, DType dtype) {
  Builder builder(context);
  const std::pair<DType, Type> rows[] = {
      {DType::f64, builder.getF64Type()}, {DType::f32, builder.getF32Type()}, {DType::bf16, builder.getBF16Type()},
      {DType::f16, builder.getF16Type()}, {DType::i8, builder.getI8Type()},   {DType::f8e4m3, Float8E4M3FNType::get(context)},
      {DType::i32, builder.getI32Type()},
  };
  return llvm::find_if(rows, [&](const auto &row) { return row.first == dtype; })->second;
}

std::optional<DType> dtype_of(Type type) {
  for (const DTypeInfo &row : dtypes())
    if (type_of(type.getContext(), row.dtype) == type)
      return row.dtype;
  return std::nullopt;
}

//===-- Registration -------------------------------------------------------------------------------------------------------------===//

void NormDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dsl/dialect/norm_attributes.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dsl/dialect/norm_types.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dsl/dialect/norm_ops.cpp.inc"
      >();
}

Operation *NormDialect::materializeConstant(OpBuilder &builder, Attribute value, Type, Location location) {
  return ConstantOp::create(builder, location, llvm::cast<FloatAttr>(value));
}

} // namespace normforge::dialect

using namespace normforge::dialect;
#define GET_ATTRDEF_CLASSES
#include "dsl/dialect/norm_attributes.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dsl/dialect/norm_types.cpp.inc"
#define GET_OP_CLASSES
#include "dsl/dialect/norm_ops.cpp.inc"
