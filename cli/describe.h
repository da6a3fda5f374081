// A norm in words and in JSON: what `list` and `check` say about it.
#pragma once

#include <string>

#include "dsl/norm.h"

namespace llvm::json {
class Object;
}

namespace normforge::cli {

/// "layer_norm(x[rows..., cols...], …; eps = 1e-05 in [0, inf)) -> y[rows..., cols...], …": the text before the body, on one line.
std::string signature(const Norm &);

/// The first sentence of a doc text, on one line.
std::string first_sentence(std::string text);

/// Name, doc, signature, axes, inputs, scalars and outputs.
llvm::json::Object describe(const Norm &);

} // namespace normforge::cli
