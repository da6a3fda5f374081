#include "cli/describe.h"

#include <algorithm>
#include <sstream>

#include "llvm/Support/JSON.h"

namespace normforge::cli {
namespace {

constexpr const char *kRoles[] = {"input", "inout", "output", "length"}; // by Tensor::Role

llvm::json::Object describe(const Program &program, const Tensor &tensor) {
  llvm::json::Array axes;
  for (int axis : tensor.axes)
    axes.push_back(program.axes[size_t(axis)].name);
  llvm::json::Object object{{"name", tensor.name}, {"role", kRoles[tensor.role]}, {"axes", std::move(axes)}};
  if (tensor.fallback)
    object["default"] = *tensor.fallback;
  return object;
}

} // namespace

std::string signature(const Norm &norm) {
  const std::string text = definition_text(norm);
  std::istringstream words(text.substr(0, text.find("{\n"))); // the body's: a domain {0, 1} has more on its line
  words.ignore(std::string_view("norm ").size());
  std::string line;
  for (std::string word; words >> word;)
    line += (line.empty() ? "" : " ") + word;
  return line;
}

std::string first_sentence(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  const size_t end = text.find(". ");
  return end == text.npos ? text : text.substr(0, end + 1);
}

llvm::json::Object describe(const Norm &norm) {
  const Program &program = norm.program;
  llvm::json::Array axes, tensors, scalars;
  for (const Axis &axis : program.axes)
    axes.push_back(llvm::json::Object{{"name", axis.name}, {"pack", axis.pack}});
  for (const Tensor &tensor : program.tensors)
    tensors.push_back(describe(program, tensor));
  for (const Scalar &scalar : program.scalars)
    scalars.push_back(llvm::json::Object{{"name", scalar.name}, {"default", scalar.fallback}});
  return llvm::json::Object{{"name", program.name},          {"doc", norm.doc},
                            {"signature", signature(norm)},  {"axes", std::move(axes)},
                            {"tensors", std::move(tensors)}, {"scalars", std::move(scalars)}};
}

} // namespace normforge::cli
