// How the dialect is written: axis names, sets of axes, numbers.
#include "dsl/dialect/text.h"

#include <cmath>

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/STLExtras.h"

#include "dsl/dialect/dialect.h"
#include "dsl/norm.h"

using namespace mlir;

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

ParseResult parseAxisName(OpAsmParser &parser, StringAttr &name) {
  std::string text;
  if (parse_axis(parser, text))
    return failure();
  name = StringAttr::get(parser.getContext(), text);
  return success();
}

void printAxisName(OpAsmPrinter &printer, Operation *, StringAttr name) { printer << name.getValue(); }

//===-- Numbers ------------------------------------------------------------------------------------------------------------------===//

ParseResult parseNumber(OpAsmParser &parser, FloatAttr &number) {
  double value = std::numeric_limits<double>::infinity();
  if (failed(parser.parseOptionalKeyword("inf")) && parser.parseFloat(value))
    return failure();
  number = parser.getBuilder().getF64FloatAttr(value);
  return success();
}

void printNumber(OpAsmPrinter &printer, Operation *, FloatAttr number) {
  const double value = number.getValueAsDouble();
  std::string text = number_text(value);
  // MLIR's numbers have a point, and no sign before `inf`.
  if (std::isfinite(value) && text.find('.') == std::string::npos)
    text.insert(std::min(text.find('e'), text.size()), ".0");
  if (std::isfinite(value) || text == "inf")
    printer << text;
  else
    printer.printAttributeWithoutType(number);
}

//===-- Attributes and types -----------------------------------------------------------------------------------------------------===//

Attribute AxesAttr::parse(AsmParser &parser, Type) {
  AxisNames names;
  const SMLoc where = parser.getCurrentLocation();
  if (parse_axes(parser, names))
    return {};
  return parser.getChecked<AxesAttr>(where, parser.getContext(), ArrayRef<StringAttr>(names));
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

} // namespace normforge::dialect
