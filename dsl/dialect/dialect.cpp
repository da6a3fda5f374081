// Registration, text and types of the `norm` dialect.
#include "dsl/dialect/dialect.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "dsl/dialect/norm_dialect.cpp.inc"
#include "dsl/dialect/norm_enums.cpp.inc"

namespace normforge::dialect {

//===-- Axis names in text -------------------------------------------------------------------------------------------------------===//

/// `cols`, or `batch*space` for a collapsed axis.
static ParseResult parse_axis(AsmParser &parser, std::string &name) {
  do {
    std::string part;
    if (parser.parseKeywordOrString(&part))
      return failure();
    name += (name.empty() ? "" : "*") + part;
  } while (succeeded(parser.parseOptionalStar()));
  return success();
}

/// `<rows, cols>`
static ParseResult parse_axes(AsmParser &parser, AxisNames &names) {
  return parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater, [&]() -> ParseResult {
    std::string name;
    if (parse_axis(parser, name))
      return failure();
    names.push_back(StringAttr::get(parser.getContext(), name));
    return success();
  });
}

static void print_axes(AsmPrinter &printer, ArrayRef<StringAttr> names) {
  printer << '<';
  llvm::interleaveComma(names, printer, [&](StringAttr name) { printer << name.getValue(); });
  printer << '>';
}

static ParseResult parseAxisName(OpAsmParser &parser, StringAttr &name) {
  std::string text;
  if (parse_axis(parser, text))
    return failure();
  name = StringAttr::get(parser.getContext(), text);
  return success();
}

static void printAxisName(OpAsmPrinter &printer, Operation *, StringAttr name) { printer << name.getValue(); }

//===-- Attributes and types -----------------------------------------------------------------------------------------------------===//

Attribute AxesAttr::parse(AsmParser &parser, Type) {
  AxisNames names;
  const SMLoc where = parser.getCurrentLocation();
  if (parse_axes(parser, names))
    return {};
  return parser.getChecked<AxesAttr>(where, parser.getContext(), names);
}

void AxesAttr::print(AsmPrinter &printer) const { print_axes(printer, getNames()); }

LogicalResult AxesAttr::verify(llvm::function_ref<InFlightDiagnostic()> error, ArrayRef<StringAttr> names) {
  llvm::SmallDenseSet<StringAttr> seen;
  for (StringAttr name : names)
    if (!seen.insert(name).second)
      return error() << "axis " << name.getValue() << " stands twice";
  return success();
}

template <class OverAxes> static Type parse_type(AsmParser &parser) {
  const SMLoc where = parser.getCurrentLocation();
  AxesAttr axes = llvm::dyn_cast_or_null<AxesAttr>(AxesAttr::parse(parser, {}));
  if (!axes)
    return {};
  return parser.getChecked<OverAxes>(where, parser.getContext(), sorted_axes(parser.getContext(), AxisNames(axes.getNames())));
}

static LogicalResult verify_type(llvm::function_ref<InFlightDiagnostic()> error, AxesAttr axes) {
  return llvm::is_sorted(axes.getNames(), [](StringAttr a, StringAttr b) { return a.getValue() < b.getValue(); })
             ? success()
             : LogicalResult(error() << "the axes of a type are sorted by name");
}

Type ValueType::parse(AsmParser &parser) { return parse_type<ValueType>(parser); }
Type TruthType::parse(AsmParser &parser) { return parse_type<TruthType>(parser); }
void ValueType::print(AsmPrinter &printer) const { print_axes(printer, getAxes().getNames()); }
void TruthType::print(AsmPrinter &printer) const { print_axes(printer, getAxes().getNames()); }
LogicalResult ValueType::verify(llvm::function_ref<InFlightDiagnostic()> error, AxesAttr axes) { return verify_type(error, axes); }
LogicalResult TruthType::verify(llvm::function_ref<InFlightDiagnostic()> error, AxesAttr axes) { return verify_type(error, axes); }

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

void infer_types(FuncOp func) {
  for (Operation &op : func.getBody().getOps()) {
    if (op.hasAttr("over")) {
      op.getResult(0).setType(ValueType::get(func.getContext(), over_result_axes(func, &op)));
    } else if (llvm::isa<InferTypeOpInterface>(op)) {
      AxesAttr axes = union_of_axes(func.getContext(), op.getOperands());
      const bool truth = llvm::isa<TruthType>(op.getResult(0).getType());
      op.getResult(0).setType(truth ? Type(TruthType::get(func.getContext(), axes)) : Type(ValueType::get(func.getContext(), axes)));
    }
  }
}

//===-- Dtypes -------------------------------------------------------------------------------------------------------------------===//

Type type_of(MLIRContext *context, DType dtype) {
  Builder builder(context);
  switch (dtype) {
  case DType::f64:
    return builder.getF64Type();
  case DType::f32:
    return builder.getF32Type();
  case DType::bf16:
    return builder.getBF16Type();
  case DType::f16:
    return builder.getF16Type();
  case DType::i8:
    return builder.getI8Type();
  case DType::f8e4m3:
    return Float8E4M3FNType::get(context);
  case DType::i32:
    return builder.getI32Type();
  }
  llvm_unreachable("every dtype has a type");
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
