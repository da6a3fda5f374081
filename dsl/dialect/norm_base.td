// The `norm` dialect: its types and attributes. A value varies over a set of named axes and broadcasts over the rest, so a type is a set of
// axis names and nothing else: extents, dtypes and memory belong to the Problem and stand in the signature of a norm.func.
#ifndef NORMFORGE_DIALECT_NORM_BASE
#define NORMFORGE_DIALECT_NORM_BASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Norm_Dialect : Dialect {
  let name = "norm";
  let summary = "Normalizations as straight-line programs over named axes";
  let cppNamespace = "::normforge::dialect";
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasConstantMaterializer = 1;
}

def Norm_Axes : AttrDef<Norm_Dialect, "Axes"> {
  let mnemonic = "axes";
  let summary = "Distinct axis names, in the order in which they were written; a collapsed axis is spelled `batch*space`";
  let parameters = (ins OptionalArrayRefParameter<"::mlir::StringAttr">:$names);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

class Norm_TypeOverAxes<string name, string mnemonic_, string summary_> : TypeDef<Norm_Dialect, name> {
  let mnemonic = mnemonic_;
  let summary = summary_;
  let description = "The axes are a set: they are kept sorted by name, so that equal sets are equal types.";
  let parameters = (ins "::normforge::dialect::AxesAttr":$axes);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}
def Norm_Value : Norm_TypeOverAxes<"Value", "value", "A number at each index of some axes">;
def Norm_Truth : Norm_TypeOverAxes<"Truth", "truth", "What a comparison gives at each index of some axes">;

// The enumerators of Role and Layout stand in the order of Tensor::Role (dsl/program.h) and Layout (dsl/problem.h).
def Norm_Role : I32EnumAttr<"Role", "what a tensor is to the norm",
    [I32EnumAttrCase<"input", 0>, I32EnumAttrCase<"inout", 1>, I32EnumAttrCase<"output", 2>, I32EnumAttrCase<"length", 3>]> {
  let cppNamespace = "::normforge::dialect";
}
def Norm_Strides : I32EnumAttr<"Strides", "what is known of a tensor's strides",
    [I32EnumAttrCase<"dense", 0>, I32EnumAttrCase<"rows", 1>, I32EnumAttrCase<"any", 2>]> {
  let cppNamespace = "::normforge::dialect";
}
def Norm_Comparison : I32EnumAttr<"Comparison", "how the sides of a requirement compare",
    [I32EnumAttrCase<"less", 0>, I32EnumAttrCase<"less_equal", 1>, I32EnumAttrCase<"equal", 2>]> {
  let cppNamespace = "::normforge::dialect";
}

#endif
