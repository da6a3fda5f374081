#include "codegen/package/header.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>

#include "codegen/package/embedded.h"
#include "codegen/package/tables.h"
#include "dsl/error.h"
#include "dsl/norm.h"

namespace normforge {
namespace {

/// Elements in C: a format that C lacks is its bits.
struct Element {
  DType dtype;
  const char *type;
};
constexpr Element kElements[] = {{DType::f64, "double"}, {DType::f32, "float"},      {DType::bf16, "uint16_t"}, {DType::f16, "uint16_t"},
                                 {DType::i8, "int8_t"},  {DType::f8e4m3, "uint8_t"}, {DType::i32, "int32_t"}};

const char *element_type(DType dtype) { return std::ranges::find(kElements, dtype, &Element::dtype)->type; }

std::string upper(std::string text) {
  for (char &c : text)
    c = char(std::toupper(c));
  return text;
}

/// What stands between a header's `extern "C" {` and its end.
std::string body(std::string_view header) {
  constexpr std::string_view kOpen = "extern \"C\" {\n#endif\n", kClose = "\n#ifdef __cplusplus\n}\n#endif\n#endif\n";
  const size_t begin = header.find(kOpen);
  internal_check(begin != header.npos && header.ends_with(kClose));
  return std::string(header.substr(begin + kOpen.size(), header.size() - kClose.size() - begin - kOpen.size()));
}

/// The comment that a header opens with.
std::string opening(std::string_view header) { return std::string(header.substr(0, header.find("*/\n") + 3)); }

std::string with_prefix(const std::string &library, std::string text) {
  text = std::regex_replace(text, std::regex("\\bnf_"), library + "_");
  return std::regex_replace(text, std::regex("\\bNF_"), upper(library) + "_");
}

/// Text that may stand in a C comment.
std::string comment(std::string text) {
  for (size_t end = 0; (end = text.find("*/", end)) != text.npos;)
    text.replace(end, 2, "* /");
  return text;
}

/// Lines, each after ` * `.
std::string comment_lines(std::string_view text) {
  std::string lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines += " *" + (end > begin ? " " + comment(std::string(text.substr(begin, end - begin))) : "") + "\n";
    begin = end + 1;
  }
  return lines;
}

/// What a norm is, in words and as its definition.
std::string norm_text(const Norm &norm) {
  const size_t definition = norm.text.starts_with("norm ") ? 0 : norm.text.find("\nnorm ") + 1; // after the lines of `///`
  return norm.doc + (norm.doc.empty() ? "" : "\n\n") + norm.text.substr(definition);
}

std::string axis_list(const FunctionTable &table, int tensor) {
  const nf_function &function = table.function();
  std::string list;
  for (int32_t i = 0; i < function.tensor[tensor].rank; ++i)
    list += (i ? ", " : "") + std::string(function.axis[function.tensor[tensor].axes[i]].name);
  return "[" + list + "]";
}

std::string tensor_comment(const FunctionTable &table, int index) {
  const Program &program = table.problem().norm->program;
  const Tensor &tensor = program.tensors[size_t(index)];
  std::string text = axis_list(table, index) + " " + std::string(name(*table.problem().dtypes[size_t(index)]));
  switch (tensor.role) {
  case Tensor::input: return text + (tensor.fallback ? "; null: " + number_text(*tensor.fallback) : "");
  case Tensor::inout: return text + ", updated in place";
  case Tensor::length: return text + ", clamped to [0, extent]";
  case Tensor::output: break;
  }
  text += ", written; null: not wanted";
  const uint64_t inputs = table.function().tensor[index].in_place;
  for (size_t t = 0; t < program.tensors.size(); ++t)
    if (inputs >> t & 1)
      text += "; may be the memory of " + program.tensors[t].name;
  return text;
}

std::string scalar_comment(const Scalar &scalar) {
  std::string text = "default " + number_text(scalar.fallback);
  if (scalar.set.empty())
    return text + "; in " + (scalar.lo_open ? "(" : "[") + number_text(scalar.lo) + ", " + number_text(scalar.hi) +
           (scalar.hi_open ? ")" : "]");
  text += "; in {";
  for (size_t i = 0; i < scalar.set.size(); ++i)
    text += (i ? ", " : "") + number_text(scalar.set[i]);
  return text + "}";
}

std::string args_struct(const std::string &type, const FunctionTable &table) {
  const Program &program = table.problem().norm->program;
  std::string text = "typedef struct " + type + " {\n";
  for (const ArgsField &field : table.fields()) {
    const size_t i = size_t(field.index);
    std::string declaration, says;
    switch (field.kind) {
    case ArgsField::extent:
      declaration = "int64_t ";
      says = "extent";
      break;
    case ArgsField::tensor: {
      const bool written = program.tensors[i].role == Tensor::output || program.tensors[i].role == Tensor::inout;
      declaration = std::string(written ? "" : "const ") + element_type(*table.problem().dtypes[i]) + " *";
      says = tensor_comment(table, field.index);
      break;
    }
    case ArgsField::stride:
      declaration = "int64_t ";
      says = "in elements; 0: dense";
      break;
    case ArgsField::scalar:
      declaration = "double ";
      says = scalar_comment(program.scalars[i]);
      break;
    }
    text += "  " + declaration + field.name + "; /**< " + comment(says) + " */\n";
  }
  return text + "} " + type + ";\n";
}

/// The args struct of a function, and its defaults.
std::string arguments(const std::string &library, const FunctionTable &table) {
  const Norm &norm = *table.problem().norm;
  const std::string function = prefixed(library, table.function().name), type = function + "_args";
  std::string text = "\n/**\n" + comment_lines(norm_text(norm)) + " */\n" + args_struct(type, table);
  text += "\n/** Everything absent, dense and of extent 0; scalars at their defaults. */\nstatic inline " + type + " " + function +
          "_defaults(void) {\n  " + type + " args;\n  memset(&args, 0, sizeof args);\n";
  for (const ArgsField &field : table.fields())
    if (field.kind == ArgsField::scalar && norm.program.scalars[size_t(field.index)].fallback != 0)
      text += "  args." + field.name + " = " + number_text(norm.program.scalars[size_t(field.index)].fallback) + ";\n";
  return text + "  return args;\n}\n\n";
}

std::string entry_points(const std::string &library, const FunctionTable &table) {
  const std::string function = prefixed(library, function_symbol(table)), status = prefixed(library, "status");
  const std::string type = prefixed(library, table.function().name) + "_args";
  const std::string options = "const " + prefixed(library, table.on_gpu() ? "cuda_options" : "options") + " *options";
  std::string text = table.on_gpu() ? "/** On a GPU: pointers to its memory in `args`. */\n" : "";
  text += status + " " + function + "(const " + type + " *args, " + options + ");\n";
  text += status + " " + function + "_which(const " + type + " *args, " + options + ", " + prefixed(library, "choice") + " *choice);\n";
  return text + status + " " + function + "_workspace_bytes(const " + type + " *args, int64_t *bytes);\n";
}

} // namespace

bool declared_by_runtime_header(const std::string &symbol) {
  const std::regex declaration("\\b" + symbol + "\\(");
  return std::ranges::any_of(std::array{runtime_header(), cuda_header()},
                             [&](std::string_view header) { return std::regex_search(header.begin(), header.end(), declaration); });
}

std::string header_text(const std::string &library, const std::vector<const FunctionTable *> &functions) {
  const std::string guard = upper(library) + "_H";
  std::string text = "/* " + library + ": normalization kernels, generated by normforge " NORMFORGE_VERSION ". C11 or C++; link lib" +
                     library + ".a and threads.\n *\n";
  text += comment_lines("A function takes a struct of arguments and options, and returns a status:\n\n");
  const std::string example = prefixed(library, functions.front()->function().name);
  const std::string called = prefixed(library, function_symbol(*functions.front()));
  text += comment_lines("    " + example + "_args args = " + example + "_defaults();\n    args.… = …;\n    if (" + called +
                        "(&args, NULL) != " + upper(library) +
                        "_OK) …\n\nNothing is touched unless all that the arguments say holds. Nothing is allocated, but for the library's "
                        "threads when they are first\n"
                        "wanted. All functions may be called from several threads at once. Tensors stand in memory in the order of the "
                        "axes in brackets; the\n"
                        "last is contiguous, strides of the others may be given. bf16, f16 and f8e4m3 elements are passed as their bits.");
  text += " */\n#ifndef " + guard + "\n#define " + guard +
          "\n\n#include <stdint.h>\n#include <string.h>\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n";
  text += with_prefix(library, body(description_header()) + body(runtime_header()));
  if (std::ranges::any_of(functions, &FunctionTable::on_gpu))
    text += "\n" + with_prefix(library, opening(cuda_header()) + body(cuda_header()));
  std::string_view declared;
  for (const FunctionTable *function : functions) {
    if (declared != function->function().name)
      text += arguments(library, *function);
    declared = function->function().name;
    text += entry_points(library, *function);
  }
  return text + "\n#ifdef __cplusplus\n}\n#endif\n#endif\n";
}

} // namespace normforge
