#include "autotune/pack/packed_problem.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "autotune/checked_line.h"
#include "codegen/kernel_file.h"
#include "codegen/target.h"
#include "dsl/error.h"
#include "llvm/Support/JSON.h"

using llvm::json::ObjectMapper;
using llvm::json::OStream;
using llvm::json::Path;
using llvm::json::Value;

namespace normforge {
namespace {

constexpr int kVersion = 1; ///< of the format

/// A candidate's part of the first line. Kernels follow it in this order, the gate's after the candidate's own.
struct Row {
  int64_t bytes = 0, gate_bytes = 0; ///< of the kernel, and of the gate's; 0: it has none of its own
  bool same_bits = true, gated = false;
  double deviation = 0;
};

/// The first line.
struct Head {
  int version = 0;
  std::string problem, norm; ///< texts
  std::vector<Row> rows;
  PackedProblem rest;
};

template <class Visit> bool all_fields(PackedProblem &packed, const Visit &visit) {
  return visit("number", packed.number) && visit("of", packed.of) && visit("target", packed.target) && visit("backend", packed.backend) &&
         visit("compiler", packed.compiler) && visit("threads", packed.threads) && visit("pin", packed.pin) && visit("seed", packed.seed) &&
         visit("search_rounds", packed.search_rounds) && visit("confirm_rounds", packed.confirm_rounds) && visit("seconds", packed.seconds);
}

template <class Visit> bool all_fields(Row &row, const Visit &visit) {
  return visit("bytes", row.bytes) && visit("gate_bytes", row.gate_bytes) && visit("same_bits", row.same_bits) &&
         visit("gated", row.gated) && visit("deviation", row.deviation);
}

bool fromJSON(const Value &value, Row &row, Path path) {
  ObjectMapper map(value, path);
  return map && all_fields(row, [&](llvm::StringLiteral name, auto &field) { return map.map(name, field); });
}

bool fromJSON(const Value &value, Head &head, Path path) {
  ObjectMapper map(value, path);
  if (!map || !map.map("version", head.version))
    return false;
  if (head.version != kVersion)
    return path.report("another version of normforge wrote it"), false;
  return map.map("problem", head.problem) && map.map("norm", head.norm) && map.map("candidates", head.rows) &&
         all_fields(head.rest, [&](llvm::StringLiteral name, auto &field) { return map.map(name, field); });
}

/// The problem of a text, in a norm that is given in full: neither a file nor this program's catalogue is asked.
Problem problem_of(const Head &head, const std::string &path) {
  const std::vector<NormRef> norms = parse_norms(head.norm, path);
  if (norms.size() != 1)
    throw UserError("it holds " + std::to_string(norms.size()) + " norms in place of one");
  Norm norm = *norms.front();
  norm.source = head.problem.substr(0, head.problem.find(' '));
  return parse_problem(head.problem, std::make_shared<const Norm>(std::move(norm)), path);
}

/// Takes a kernel of so many bytes off `rest`.
Kernel take_kernel(std::string_view &rest, int64_t bytes, const std::string &target) {
  if (bytes < 0 || uint64_t(bytes) > rest.size())
    throw UserError("it is cut short");
  std::optional<Kernel> kernel = parse_kernel(rest.substr(0, size_t(bytes)));
  if (!kernel || kernel->target != target || (kernel->image.empty() && (kernel->object.empty() || !find_target(target).gpu())))
    throw UserError("a kernel's checksum does not match");
  rest.remove_prefix(size_t(bytes));
  return std::move(*kernel);
}

} // namespace

std::string file_name(const PackedProblem &packed) {
  std::string number = std::to_string(packed.number);
  number.insert(0, 4 - std::min<size_t>(4, number.size()), '0');
  return number + "-" + packed.problem.norm->program.name + std::string(kPackedSuffix);
}

std::string to_bytes(const PackedProblem &packed) {
  std::string kernels, text;
  llvm::raw_string_ostream stream(text);
  OStream json(stream);
  json.object([&] {
    const auto write = [&](llvm::StringLiteral name, const auto &field) { return json.attribute(name, field), true; };
    write("version", kVersion);
    write("problem", to_text(packed.problem));
    write("norm", definition_text(*packed.problem.norm));
    PackedProblem rest = packed;
    all_fields(rest, write);
    json.attributeArray("candidates", [&] {
      for (const PackedCandidate &candidate : packed.candidates) {
        const std::string own = to_bytes(candidate.kernel), gate = candidate.gate ? to_bytes(*candidate.gate) : "";
        Row row{int64_t(own.size()), int64_t(gate.size()), candidate.same_bits, candidate.gated, candidate.deviation};
        json.object([&] { all_fields(row, write); });
        kernels += own + gate;
      }
    });
  });
  return checked_line(text) + "\n" + kernels;
}

PackedProblem parse_packed_problem(std::string_view bytes, const std::string &path) {
  try {
    const size_t end = bytes.find('\n');
    if (end == bytes.npos)
      throw UserError("it is cut short");
    llvm::Expected<Head> head = llvm::json::parse<Head>(checked_object(bytes.substr(0, end)));
    if (!head)
      throw UserError(llvm::toString(head.takeError()));
    PackedProblem packed = std::move(head->rest);
    packed.problem = problem_of(*head, path);
    std::string_view rest = bytes.substr(end + 1);
    for (const Row &row : head->rows) {
      PackedCandidate &candidate = packed.candidates.emplace_back();
      candidate.kernel = take_kernel(rest, row.bytes, packed.target);
      if (row.gate_bytes)
        candidate.gate = take_kernel(rest, row.gate_bytes, packed.target);
      candidate.same_bits = row.same_bits;
      candidate.gated = row.gated;
      candidate.deviation = row.deviation;
    }
    if (!rest.empty() || packed.candidates.empty())
      throw UserError("something is missing, or too much");
    return packed;
  } catch (const UserError &error) {
    throw UserError(path + ": not a problem of a pack: " + error.what() + "; copy it again, or make the pack anew");
  }
}

PackedProblem read_packed_problem(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  if (!file)
    throw UserError("cannot read '" + path + "': " + std::strerror(errno));
  return parse_packed_problem(bytes, path);
}

} // namespace normforge
