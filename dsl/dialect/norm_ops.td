// The operations of the `norm` dialect. A norm.func has two regions: the signature declares axes, tensors and parameters, with what the
// Problem says of them; the body is a straight line of pure operations that ends in writes. There is an operation per row of the Op table
// (dsl/program.h), under the same name, so import and export are generic.
include "norm_base.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Norm_Operation<string mnemonic, list<Trait> traits = []> : Op<Norm_Dialect, mnemonic, traits>;

def Norm_FuncOp : Norm_Operation<"func", [IsolatedFromAbove, SingleBlock, NoTerminator]> {
  let summary = "A norm: what it takes and gives, and how it computes";
  let description = [{
    `order` is the memory order of all axes, outermost first; without it, the order in which they are declared.

    ```
    norm.func @rms_norm {
      norm.axis rows pack of [0] extent [1, 8192]
      norm.axis cols pack of [1] extent [768, 768]
      norm.tensor input @x <rows, cols> : bf16
      norm.tensor output @y <rows, cols> : bf16
      norm.parameter @eps = 1.0e-06 at_least 0.0 below inf
    } body {
      %x = norm.read @x : <cols, rows>
      ...
      norm.write %mul to @y : <cols, rows>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<Norm_Axes>:$order);
  let regions = (region SizedRegion<1>:$signature, SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name (`order` $order^)? attr-dict-with-keyword $signature `body` $body";
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// Declarations by name; null where there is none.
    AxisOp axis(::mlir::StringAttr name);
    TensorOp tensor(::mlir::FlatSymbolRefAttr name);
    ParameterOp parameter(::mlir::FlatSymbolRefAttr name);
    template <class Declaration> auto declared() { return getSignature().getOps<Declaration>(); }
    template <class Operation> auto computed() { return getBody().getOps<Operation>(); }
    /// The axes over which the length of a ragged axis varies; empty for any other axis.
    ::llvm::ArrayRef<::mlir::StringAttr> length_axes(::mlir::StringAttr axis);
    /// The set of `axes` in the order of their declarations, the form in which operations name what they reduce.
    AxesAttr in_declared_order(::llvm::ArrayRef<::mlir::StringAttr> axes);
    /// f64 when an input that is present is f64, else f32.
    ::mlir::Type compute_type();
  }];
}

//===-- Signature -----------------------------------------------------------------------------------------------------------------===//

class Norm_Declaration<string mnemonic> : Norm_Operation<mnemonic, [HasParent<"FuncOp">]>;

def Norm_AxisOp : Norm_Declaration<"axis"> {
  let summary = "Declares an axis: the parts of it that are axes of the norm (several once collapsed), and the range of its extent";
  let arguments = (ins StrAttr:$name, UnitAttr:$pack, OptionalAttr<FlatSymbolRefAttr>:$length, DenseI64ArrayAttr:$parts,
                       OptionalAttr<DenseI64ArrayAttr>:$extent);
  let assemblyFormat = "custom<AxisName>($name) (`pack` $pack^)? (`below` $length^)? `of` $parts (`extent` $extent^)? attr-dict";
  let hasVerifier = 1;
}

def Norm_TensorOp : Norm_Declaration<"tensor"> {
  let summary = "Declares a tensor; once a Problem is bound, a tensor without a dtype is an input that is absent";
  let arguments = (ins Norm_Role:$role, SymbolNameAttr:$sym_name, Norm_Axes:$axes, OptionalAttr<F64Attr>:$fallback,
                       OptionalAttr<TypeAttr>:$usual_dtype, DefaultValuedAttr<Norm_Strides, "Strides::dense">:$strides, UnitAttr:$unwanted,
                       OptionalAttr<TypeAttr>:$dtype);
  let assemblyFormat = [{
    $role $sym_name $axes (`default` custom<Number>($fallback)^)? (`usually` $usual_dtype^)? (`strides` $strides^)? (`unwanted` $unwanted^)? (`:` $dtype^)? attr-dict
  }];
  let hasVerifier = 1;
}

def Norm_ParameterOp : Norm_Declaration<"parameter"> {
  let summary = "Declares a scalar parameter: its default and its domain";
  let arguments = (ins SymbolNameAttr:$sym_name, F64Attr:$fallback, OptionalAttr<F64Attr>:$at_least, OptionalAttr<F64Attr>:$above,
                       OptionalAttr<F64Attr>:$at_most, OptionalAttr<F64Attr>:$below, OptionalAttr<DenseF64ArrayAttr>:$choices);
  let assemblyFormat = [{
    $sym_name `=` custom<Number>($fallback) (`at_least` custom<Number>($at_least)^)? (`above` custom<Number>($above)^)?
    (`at_most` custom<Number>($at_most)^)? (`below` custom<Number>($below)^)? (`in` $choices^)? attr-dict
  }];
}

//===-- Leaves --------------------------------------------------------------------------------------------------------------------===//

class Norm_Computation<string mnemonic, list<Trait> traits = []>
    : Norm_Operation<mnemonic, !listconcat([Pure, HasParent<"FuncOp">, DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>],
                                           traits)> {
  let results = (outs Norm_Value:$result);
  string named = [{
    void $cppClass::getAsmResultNames(::mlir::OpAsmSetValueNameFn name) { name(getResult(), result_name(getOperation())); }
  }];
  let extraClassDefinition = named;
}

// An operation whose result varies over every axis over which an operand does.
class Norm_Broadcasting<string mnemonic, list<Trait> traits = []>
    : Norm_Computation<mnemonic, !listconcat([DeclareOpInterfaceMethods<InferTypeOpInterface>], traits)> {
  string resultType = "ValueType";
  let hasFolder = 1;
  let extraClassDefinition = named # [{
    ::llvm::LogicalResult $cppClass::inferReturnTypes(::mlir::MLIRContext *context, ::std::optional<::mlir::Location>,
        ::mlir::ValueRange operands, ::mlir::DictionaryAttr, ::mlir::OpaqueProperties, ::mlir::RegionRange,
        ::llvm::SmallVectorImpl<::mlir::Type> &types) {
      types.push_back(}] # resultType # [{::get(context, union_of_axes(context, operands)));
      return ::mlir::success();
    }
    ::mlir::OpFoldResult $cppClass::fold(FoldAdaptor adaptor) { return fold_exactly(getOperation(), adaptor.getOperands()); }
  }];
}

def Norm_ConstantOp : Norm_Broadcasting<"constant", [ConstantLike]> {
  let arguments = (ins F64Attr:$value);
  let assemblyFormat = "custom<Number>($value) attr-dict";
}
def Norm_ScalarOp : Norm_Broadcasting<"scalar"> {
  let summary = "The value of a parameter";
  let arguments = (ins FlatSymbolRefAttr:$parameter);
  let assemblyFormat = "$parameter attr-dict";
  let hasVerifier = 1;
}
def Norm_ReadOp : Norm_Computation<"read"> {
  let summary = "A tensor's element";
  let arguments = (ins FlatSymbolRefAttr:$tensor);
  let assemblyFormat = "$tensor attr-dict `:` type($result)";
  let hasVerifier = 1;
}
def Norm_CountOp : Norm_Computation<"count"> {
  let summary = "The number of elements over some axes; it varies with the lengths of those that are ragged";
  let arguments = (ins Norm_Axes:$over);
  let assemblyFormat = "$over attr-dict `:` type($result)";
  let hasVerifier = 1;
}

//===-- Pointwise -----------------------------------------------------------------------------------------------------------------===//

class Norm_Unary<string mnemonic> : Norm_Broadcasting<mnemonic> {
  let arguments = (ins Norm_Value:$operand);
  let assemblyFormat = "$operand attr-dict `:` type($operand)";
}
class Norm_Binary<string mnemonic, list<Trait> traits = []> : Norm_Broadcasting<mnemonic, traits> {
  let arguments = (ins Norm_Value:$lhs, Norm_Value:$rhs);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs)";
}
class Norm_Compare<string mnemonic> : Norm_Binary<mnemonic> {
  let resultType = "TruthType";
  let results = (outs Norm_Truth:$result);
}

def Norm_AddOp : Norm_Binary<"add", [Commutative]>;
def Norm_SubOp : Norm_Binary<"sub">;
def Norm_MulOp : Norm_Binary<"mul", [Commutative]>;
def Norm_DivOp : Norm_Binary<"div">;
def Norm_MaximumOp : Norm_Binary<"maximum">;
def Norm_MinimumOp : Norm_Binary<"minimum">;

def Norm_LessOp : Norm_Compare<"less">;
def Norm_LessEqualOp : Norm_Compare<"less_equal">;
def Norm_EqualOp : Norm_Compare<"equal">;
def Norm_SelectOp : Norm_Broadcasting<"select"> {
  let arguments = (ins Norm_Truth:$condition, Norm_Value:$then, Norm_Value:$otherwise);
  let assemblyFormat = "$condition `,` $then `,` $otherwise attr-dict `:` type($condition) `,` type($then) `,` type($otherwise)";
}

def Norm_NegOp : Norm_Unary<"neg">;
def Norm_AbsOp : Norm_Unary<"abs">;
def Norm_SqrtOp : Norm_Unary<"sqrt">;
def Norm_RsqrtOp : Norm_Unary<"rsqrt">;
def Norm_ExpOp : Norm_Unary<"exp">;
def Norm_Exp2Op : Norm_Unary<"exp2">;
def Norm_LogOp : Norm_Unary<"log">;
def Norm_Log2Op : Norm_Unary<"log2">;
def Norm_TanhOp : Norm_Unary<"tanh">;
def Norm_ErfOp : Norm_Unary<"erf">;
def Norm_SigmoidOp : Norm_Unary<"sigmoid">;
def Norm_FloorOp : Norm_Unary<"floor">;
def Norm_CeilOp : Norm_Unary<"ceil">;
def Norm_RoundOp : Norm_Unary<"round">;

def Norm_PowOp : Norm_Broadcasting<"pow"> {
  let summary = "A power with a constant integer exponent";
  let arguments = (ins Norm_Value:$operand, I64Attr:$exponent);
  let assemblyFormat = "$operand `,` $exponent attr-dict `:` type($operand)";
}
def Norm_CastOp : Norm_Broadcasting<"cast"> {
  let summary = "Rounded to a dtype and widened again";
  let arguments = (ins Norm_Value:$operand, TypeAttr:$dtype);
  let assemblyFormat = "$operand `to` $dtype attr-dict `:` type($operand)";
  let hasVerifier = 1;
}
def Norm_StoredOp : Norm_Broadcasting<"stored"> {
  let summary = "Rounded to the dtype of an output: what its next reader sees";
  let arguments = (ins Norm_Value:$operand, FlatSymbolRefAttr:$tensor);
  let assemblyFormat = "$operand `as` $tensor attr-dict `:` type($operand)";
  let hasVerifier = 1;
}

//===-- Reductions ----------------------------------------------------------------------------------------------------------------===//

class Norm_Over<string mnemonic> : Norm_Computation<mnemonic> {
  let arguments = (ins Norm_Value:$operand, Norm_Axes:$over);
  let assemblyFormat = "$operand `over` $over attr-dict `:` type($operand) `->` type($result)";
  let hasVerifier = 1;
  let extraClassDefinition = named # [{ ::llvm::LogicalResult $cppClass::verify() { return verify_over(getOperation()); } }];
}

def Norm_SumOp : Norm_Over<"sum">;
def Norm_AvgOp : Norm_Over<"avg">;
def Norm_MaxOp : Norm_Over<"max">;
def Norm_MinOp : Norm_Over<"min">;
def Norm_FirstOp : Norm_Over<"first"> {
  let summary = "The operand at the first index of some axes: a pivot that lies in the data";
}

//===-- Results -------------------------------------------------------------------------------------------------------------------===//

def Norm_WriteOp : Norm_Operation<"write", [HasParent<"FuncOp">]> {
  let summary = "What an output is, or an inout becomes";
  let arguments = (ins Norm_Value:$value, FlatSymbolRefAttr:$tensor);
  let assemblyFormat = "$value `to` $tensor attr-dict `:` type($value)";
  let hasVerifier = 1;
}
def Norm_RequireOp : Norm_Operation<"require", [HasParent<"FuncOp">]> {
  let summary = "What must hold before anything runs";
  let arguments = (ins Norm_Comparison:$compare, Norm_Value:$lhs, Norm_Value:$rhs);
  let assemblyFormat = "$compare $lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs)";
}
