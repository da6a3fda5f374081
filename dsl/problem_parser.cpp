// Problem text to problems. A line is a norm and `key=value` words, where a key is an axis, a tensor, or one of kProblemKeys.
#include "dsl/problem_parser.h"

#include <algorithm>
#include <filesystem>
#include <span>

namespace normforge {
namespace {

bool allowed(Tensor::Role role, const DTypeInfo &row) {
  switch (role) {
  case Tensor::input: return row.input;
  case Tensor::inout: return row.input && row.output;
  case Tensor::output: return row.output;
  case Tensor::length: return row.dtype == DType::i32;
  }
  return false;
}

} // namespace

// --- words

void ProblemParser::check_keys() const {
  std::vector<std::string> names = names_of(program().axes);
  for (const AxisSplit &split : norm().splits)
    names.push_back(split.name);
  for (const Tensor &tensor : program().tensors)
    names.push_back(tensor.name);
  names.insert(names.end(), std::begin(kProblemKeys), std::end(kProblemKeys));
  for (const auto &[key, value] : words) {
    if (program().scalar_named(key) >= 0)
      fail(quoted(key) + " is a scalar of '" + program().name + "': its value is given with each call and is no part of a problem");
    if (std::ranges::find(names, key) == names.end())
      fail("'" + program().name + "' has no axis or tensor " + quoted(key) + suggestion(key, names));
  }
}

std::optional<std::string_view> ProblemParser::take(std::string_view key) {
  const auto found = words.find(key);
  if (found == words.end())
    return std::nullopt;
  const std::string_view value = found->second;
  words.erase(found);
  return value;
}

int ProblemParser::tensor(std::string_view key, std::string_view name) const {
  const int index = program().tensor_named(name);
  if (index < 0)
    fail(std::string(key) + ": unknown tensor " + quoted(name) + suggestion(name, names_of(program().tensors)));
  return index;
}

// --- tensors

std::optional<DType> ProblemParser::dtype(const Tensor &tensor, std::string_view text) const {
  if (text == "none") {
    if (!tensor.fallback)
      fail("'" + tensor.name + "' has no default: it cannot be none" +
           (tensor.role == Tensor::output ? "; unwanted outputs are left out of outputs=" : ""));
    return std::nullopt;
  }
  std::vector<std::string> names;
  for (const DTypeInfo &row : dtypes())
    if (allowed(tensor.role, row))
      names.emplace_back(row.name);
  const std::optional<DType> dtype = dtype_named(text);
  if (!dtype)
    fail("'" + tensor.name + "': unknown dtype " + quoted(text) + suggestion(text, names));
  if (!allowed(tensor.role, info(*dtype)))
    fail("'" + tensor.name + "' cannot be " + std::string(text) + " (expected one of: " + joined(names) + ")");
  return dtype;
}

void ProblemParser::dtypes_of_tensors() {
  const auto &tensors = program().tensors;
  if (const auto text = take(tensors[0].name))
    problem.dtypes[0] = dtype(tensors[0], *text);
  for (size_t i = 1; i < tensors.size(); ++i) {
    const auto text = take(tensors[i].name);
    problem.dtypes[i] = text ? dtype(tensors[i], *text) : default_dtype(program(), int(i), *problem.dtypes[0]);
  }
}

void ProblemParser::outputs() {
  const auto text = take("outputs");
  if (!text || *text == "all")
    return;
  problem.outputs = 0;
  const bool updates = std::ranges::any_of(program().tensors, [](const Tensor &t) { return t.role == Tensor::inout; });
  if (*text == "none" && !updates)
    fail("outputs=none leaves nothing to compute: expected the names of outputs");
  if (*text == "none")
    return;
  for (std::string_view name : split(*text, ',')) {
    const int index = tensor("outputs", name);
    if (program().tensors[size_t(index)].role != Tensor::output)
      fail("outputs: " + quoted(name) + " is no output");
    if (problem.wants(index))
      fail("outputs: " + quoted(name) + " is named twice");
    problem.outputs |= uint64_t(1) << index;
  }
}

// --- lines

Problem ProblemParser::parse(std::string_view line, const std::function<NormRef(std::string_view)> &norm_named) {
  std::vector<std::string_view> tokens;
  constexpr std::string_view kBlank = " \t\r\n";
  for (size_t begin; (begin = line.find_first_not_of(kBlank)) != line.npos;) {
    const size_t end = std::min(line.find_first_of(kBlank, begin), line.size());
    tokens.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
  if (tokens.empty())
    fail("expected a norm and key=value words, found nothing");
  try {
    problem = default_problem(norm_named(tokens[0]));
  } catch (const UserError &error) {
    fail(error.what());
  }
  for (std::string_view token : std::span(tokens).subspan(1)) {
    const size_t equals = token.find('=');
    if (equals == token.npos || equals == 0)
      fail("expected key=value, found " + quoted(token));
    if (!words.try_emplace(token.substr(0, equals), token.substr(equals + 1)).second)
      fail(quoted(token.substr(0, equals)) + " is said twice");
  }
  check_keys();
  extents();
  dtypes_of_tensors();
  outputs();
  order();
  strides();
  in_place();
  return std::move(problem);
}

Problem parse_problem(std::string_view line, std::string_view where, std::string_view directory) {
  return ProblemParser{std::string(where)}.parse(line, [&](std::string_view name) { return find_norm(name, directory); });
}

Problem parse_problem(std::string_view line, const NormRef &norm, std::string_view where) {
  return ProblemParser{std::string(where)}.parse(line, [&](std::string_view name) {
    if (name != norm->source)
      throw UserError("expected a problem of " + normforge::quoted(norm->source) + ", found " + normforge::quoted(name));
    return norm;
  });
}

std::vector<Problem> parse_problems(std::string_view text, std::string_view file) {
  const std::string directory = std::filesystem::path(file).parent_path().string();
  std::vector<Problem> problems;
  std::string errors;
  size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == line.npos)
      continue;
    try {
      problems.push_back(parse_problem(line, std::string(file) + ":" + std::to_string(number), directory));
    } catch (const UserError &error) {
      errors.append(errors.empty() ? "" : "\n").append(error.what());
    }
  }
  if (!errors.empty())
    throw UserError(errors);
  return problems;
}

} // namespace normforge
