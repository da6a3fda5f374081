// The checker's two halves share a scope: what each name of a norm means. Axes, tensors, scalars and values have one namespace; functions
// have their own, for a name before '(' is always a call.
#pragma once

#include <map>
#include <string>

#include "dsl/norm.h"
#include "dsl/syntax.h"

namespace normforge {

struct Symbol {
  enum Kind { axis, split, tensor, scalar, value } kind;
  int index = -1;        ///< of the axis, split, tensor or scalar
  Span at;               ///< where it is declared
  NodeId node = -1;      ///< value, or output once it is assigned; -1 also when its expression had an error
  bool assigned = false; ///< outputs and inouts
  bool used = false;
};
using Scope = std::map<std::string, Symbol, std::less<>>;

/// Resolves the tensors, axes and scalars of a norm into `norm` and `scope`. False when errors leave too little known to check the body.
bool check_signature(const NormSyntax &, Norm &norm, Scope &scope, Diagnostics &);

/// Checks each definition by itself, once; one with an error gets no body, and calls of it are bad in silence.
void check_definitions(FileSyntax &, Diagnostics &);

/// Resolves the statements into nodes, outputs and requirements. `syntax` holds the expressions and the definitions, which are inlined.
void check_body(const NormSyntax &, const FileSyntax &syntax, Norm &norm, Scope &scope, Diagnostics &);

/// Gives an error-free norm its canonical form: nodes in the order in which the canonical text makes them, a name for each node that is
/// used more than once, outputs by tensor.
void canonicalize(Norm &norm);

/// A line of a norm's body, in canonical order.
struct BodyLine {
  enum Kind { value, output, requirement } kind;
  int index; ///< of the node, output or requirement
};
std::vector<BodyLine> body_lines(const Norm &);

} // namespace normforge
