// Signatures: which axes a norm is over, and its tensors and scalars.
//
// An axis is introduced where it first stands, and there it says what it is: a pack, ragged, or split. Later mentions are the bare name
// (with
// `...` for a pack), so nothing can be said twice and differently. A split axis is one dimension outside and its parts inside:
// Program knows the parts alone.
#include <algorithm>

#include "dsl/checker.h"
#include "dsl/problem.h"

namespace normforge {
namespace {

constexpr size_t kLongestName = 64;

constexpr std::string_view kKindNames[] = {"an axis", "an axis", "a tensor", "a scalar", "a value"};

bool problem_word(std::string_view name) {
  return std::ranges::find(kProblemKeys, name) != std::end(kProblemKeys) ||
         std::ranges::find(kProblemValues, name) != std::end(kProblemValues);
}

struct SignatureChecker {
  const NormSyntax &syntax;
  Norm &norm;
  Scope &scope;
  Diagnostics &diagnostics;
  Program &program = norm.program;
  std::vector<Tensor> lengths;
  bool axes_known = true; ///< else the body cannot be checked

  void error(const Token &at, std::string message) { diagnostics.error(at.span(), std::move(message)); }

  bool declare(const Token &name, Symbol::Kind kind, int index) {
    if (name.text.size() > kLongestName)
      error(name, "a name of " + std::to_string(name.text.size()) + " characters; at most 64 are possible");
    if (kind != Symbol::scalar && problem_word(name.text))
      error(name, quoted(name.text) + " is a word of problem text: call it otherwise");
    const auto [at, fresh] = scope.try_emplace(std::string(name.text), Symbol{kind, index, name.span()});
    if (!fresh)
      error(name, quoted(name.text) + " is already " + std::string(kKindNames[at->second.kind]));
    return fresh;
  }

  /// The symbol of an axis or split; anything else is an error at `name`.
  const Symbol *axis_symbol(const Token &name) {
    const auto at = scope.find(name.text);
    if (at != scope.end() && (at->second.kind == Symbol::axis || at->second.kind == Symbol::split))
      return &at->second;
    axes_known = false;
    error(name, quoted(name.text) + (at == scope.end() ? " is no axis of a tensor before this" : " is no axis"));
    return nullptr;
  }

  int new_axis(const Token &name, bool pack) {
    const int index = int(program.axes.size());
    if (index == kMostAxes) {
      error(name, "more than " + std::to_string(kMostAxes) + " axes");
      axes_known = false;
      return -1;
    }
    if (!declare(name, Symbol::axis, index)) {
      axes_known = false;
      return -1;
    }
    program.axes.push_back({std::string(name.text), pack, -1});
    return index;
  }

  void new_split(const AxisSyntax &entry, std::vector<int> &axes) {
    AxisSplit split{std::string(entry.name.text), {}};
    if (!declare(entry.name, Symbol::split, int(norm.splits.size()))) {
      axes_known = false;
      return;
    }
    for (const Token &part : entry.parts)
      if (const int axis = new_axis(part, false); axis >= 0)
        split.parts.push_back(axis);
    axes.insert(axes.end(), split.parts.begin(), split.parts.end());
    norm.splits.push_back(std::move(split));
  }

  void new_ragged(const AxisSyntax &entry, std::vector<int> &axes) {
    Tensor length{std::string(entry.length.text), {}, Tensor::length};
    for (const Token &name : entry.length_axes)
      if (const Symbol *symbol = axis_symbol(name)) {
        if (symbol->kind == Symbol::axis && program.axes[size_t(symbol->index)].length >= 0)
          error(name, quoted(name.text) + " is ragged itself: lengths are over axes of fixed extent");
        append(*symbol, length.axes);
      }
    const int axis = new_axis(entry.name, false);
    if (axis < 0)
      return;
    axes.push_back(axis);
    auto known = std::ranges::find(lengths, length.name, &Tensor::name);
    if (known == lengths.end()) {
      if (!declare(entry.length, Symbol::tensor, int(syntax.inputs.size() + lengths.size())))
        return;
      scope.find(entry.length.text)->second.used = true;
      known = lengths.insert(lengths.end(), std::move(length));
    } else if (known->axes != length.axes) {
      error(entry.length, quoted(known->name) + " bounds another axis already and is over other axes there");
    }
    program.axes[size_t(axis)].length = int(syntax.inputs.size()) + int(known - lengths.begin());
  }

  void append(const Symbol &symbol, std::vector<int> &axes) {
    if (symbol.kind == Symbol::axis)
      axes.push_back(symbol.index);
    else
      axes.insert(axes.end(), norm.splits[size_t(symbol.index)].parts.begin(), norm.splits[size_t(symbol.index)].parts.end());
  }

  void mention(const AxisSyntax &entry, std::vector<int> &axes) {
    const Symbol *symbol = axis_symbol(entry.name);
    if (!symbol)
      return;
    const std::string name(entry.name.text);
    const bool pack = symbol->kind == Symbol::axis && program.axes[size_t(symbol->index)].pack;
    if (entry.length.kind != Token::end)
      error(entry.name, "'" + name + "' stands in a tensor before this: say its length where it first stands");
    else if (!entry.parts.empty())
      error(entry.name, "'" + name + "' stands in a tensor before this: split it where it first stands");
    else if (pack != entry.pack)
      error(entry.name, "'" + name + "' is " + (pack ? "a pack: write '" + name + "...'" : "one axis: write '" + name + "'"));
    append(*symbol, axes);
  }

  Tensor tensor(const TensorSyntax &entry, Tensor::Role role, int index) {
    Tensor tensor{std::string(entry.name.text), {}, role, entry.fallback};
    declare(entry.name, Symbol::tensor, index);
    for (const AxisSyntax &axis : entry.axes) {
      const size_t before = tensor.axes.size();
      if (scope.contains(axis.name.text))
        mention(axis, tensor.axes);
      else if (axis.length.kind != Token::end)
        new_ragged(axis, tensor.axes);
      else if (!axis.parts.empty())
        new_split(axis, tensor.axes);
      else if (const int fresh = new_axis(axis.name, axis.pack); fresh >= 0)
        tensor.axes.push_back(fresh);
      for (size_t i = before; i < tensor.axes.size(); ++i)
        if (std::find(tensor.axes.begin(), tensor.axes.begin() + ptrdiff_t(i), tensor.axes[i]) != tensor.axes.begin() + ptrdiff_t(i)) {
          error(axis.name, "'" + tensor.name + "' has the axis '" + program.axes[size_t(tensor.axes[i])].name + "' twice");
          tensor.axes.resize(before);
        }
      check_split_whole(axis, tensor.axes);
    }
    if (entry.dtype.kind != Token::end) {
      tensor.dtype = dtype_named(entry.dtype.text);
      if (!tensor.dtype || !(role == Tensor::output || info(*tensor.dtype).input) ||
          !(role == Tensor::input || info(*tensor.dtype).output)) {
        std::string names;
        for (const DTypeInfo &row : dtypes())
          if ((role == Tensor::output || row.input) && (role == Tensor::input || row.output))
            names.append(names.empty() ? "" : ", ").append(row.name);
        error(entry.dtype, quoted(entry.dtype.text) + " is no dtype for '" + tensor.name + "': expected one of " + names);
      }
    }
    return tensor;
  }

  /// The parts of a split that stand side by side are the split: outside they are one dimension, so there is one way to write them.
  void check_split_whole(const AxisSyntax &entry, const std::vector<int> &axes) {
    const auto at = scope.find(entry.name.text);
    if (at == scope.end() || at->second.kind != Symbol::axis)
      return;
    for (const AxisSplit &split : norm.splits)
      if (axes.size() >= split.parts.size() && std::equal(split.parts.rbegin(), split.parts.rend(), axes.rbegin()))
        error(entry.name, "the parts of '" + split.name + "' stand side by side: write '" + split.name + "'");
  }

  void scalars() {
    for (const ScalarSyntax &entry : syntax.scalars) {
      const int index = int(program.scalars.size());
      if (index == kMostScalars)
        return error(entry.name, "more than " + std::to_string(kMostScalars) + " scalars");
      if (!declare(entry.name, Symbol::scalar, index))
        continue;
      Scalar scalar = entry.scalar;
      scalar.name = entry.name.text;
      if (scalar.lo > scalar.hi)
        error(entry.name, "the domain of '" + scalar.name + "' is empty");
      else if (!scalar.allows(scalar.fallback))
        error(entry.name, "the default of '" + scalar.name + "' is outside its domain");
      std::ranges::sort(scalar.set);
      scalar.set.erase(std::ranges::unique(scalar.set).begin(), scalar.set.end());
      program.scalars.push_back(std::move(scalar));
    }
  }

  void run() {
    program.name = syntax.name.text;
    norm.doc = syntax.doc;
    std::vector<Tensor> outputs;
    for (const TensorSyntax &entry : syntax.inputs)
      program.tensors.push_back(tensor(entry, entry.inout ? Tensor::inout : Tensor::input, int(program.tensors.size())));
    for (const TensorSyntax &entry : syntax.outputs)
      outputs.push_back(tensor(entry, Tensor::output, -1));
    program.tensors.insert(program.tensors.end(), lengths.begin(), lengths.end());
    for (Tensor &output : outputs) {
      if (const auto at = scope.find(output.name); at != scope.end() && at->second.kind == Symbol::tensor && at->second.index < 0)
        at->second.index = int(program.tensors.size());
      program.tensors.push_back(std::move(output));
    }
    scalars();
    if (program.tensors.size() > kMostTensors)
      error(syntax.name, "more than " + std::to_string(kMostTensors) + " tensors, lengths among them");
    if (program.tensors[0].fallback)
      error(syntax.inputs[0].name, "the first tensor is what the norm is of: it has no default");
    if (program.tensors[0].role != Tensor::input)
      error(syntax.inputs[0].name, "the first tensor is what the norm is of: it is an input");
    if (outputs.empty() && std::ranges::none_of(program.tensors, [](const Tensor &t) { return t.role == Tensor::inout; }))
      error(syntax.name, quoted(syntax.name.text) + " has no output: expected '-> NAME[axes]' after its parameters");
  }
};

} // namespace

bool check_signature(const NormSyntax &syntax, Norm &norm, Scope &scope, Diagnostics &diagnostics) {
  SignatureChecker checker{syntax, norm, scope, diagnostics};
  checker.run();
  return checker.axes_known;
}

} // namespace normforge
