// An entry is the SHA-256 of what follows, a newline, the kernel's facts as one line of JSON, a newline, and its object file.
#include "codegen/package/kernel_cache.h"

#include <algorithm>
#include <cstdlib>

#include "codegen/backend.h"
#include "codegen/package/build_id.h"
#include "codegen/package/files.h"
#include "dsl/error.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SHA256.h"

using llvm::json::Object;
using llvm::json::ObjectMapper;
using llvm::json::Path;
using llvm::json::Value;

// Beside the types, where llvm::json finds them: the ABI's are C's.
static Value toJSON(const nf_count &count) {
  return Object{{"outer", count.outer}, {"tiled", count.tiled}, {"tile", count.tile}, {"times", count.times}};
}
static bool fromJSON(const Value &value, nf_count &count, Path path) {
  ObjectMapper map(value, path);
  return map && map.map("outer", count.outer) && map.map("tiled", count.tiled) && map.map("tile", count.tile) &&
         map.map("times", count.times);
}

static Value toJSON(const nf_buffer &buffer) { return Object{{"count", toJSON(buffer.count)}, {"bytes", buffer.bytes}}; }
static bool fromJSON(const Value &value, nf_buffer &buffer, Path path) {
  ObjectMapper map(value, path);
  return map && map.map("count", buffer.count) && map.map("bytes", buffer.bytes);
}

namespace normforge {

static Value toJSON(const Step &step) {
  return Object{{"symbol", step.symbol}, {"items", ::toJSON(step.items)}, {"item_bytes", step.item_bytes}};
}
static bool fromJSON(const Value &value, Step &step, Path path) {
  ObjectMapper map(value, path);
  return map && map.map("symbol", step.symbol) && map.map("items", step.items) && map.map("item_bytes", step.item_bytes);
}

static Value toJSON(const Kernel &kernel) {
  return Object{{"problem", kernel.problem},    {"schedule", kernel.schedule},   {"target", kernel.target},
                {"steps", kernel.steps},        {"workspace", kernel.workspace}, {"grain_bytes", kernel.grain_bytes},
                {"code_hash", kernel.code_hash}};
}
static bool fromJSON(const Value &value, Kernel &kernel, Path path) {
  ObjectMapper map(value, path);
  return map && map.map("problem", kernel.problem) && map.map("schedule", kernel.schedule) && map.map("target", kernel.target) &&
         map.map("steps", kernel.steps) && map.map("workspace", kernel.workspace) && map.map("grain_bytes", kernel.grain_bytes) &&
         map.map("code_hash", kernel.code_hash);
}

namespace {

std::string sha256(llvm::StringRef bytes) {
  return llvm::toHex(llvm::SHA256::hash(llvm::arrayRefFromStringRef(bytes)), /*LowerCase=*/true);
}

/// The problem's text, without optional inputs that nothing reads: whether they are there makes no other kernel.
std::string problem_read_by(const SweepPlan &plan) {
  Problem problem = plan.problem;
  const Program &program = plan.program();
  for (size_t t = 0; t < program.tensors.size(); ++t)
    if (program.tensors[t].fallback &&
        std::ranges::none_of(program.nodes, [&](const Node &node) { return node.op == Op::tensor && node.symbol == int(t); }))
      problem.dtypes[t].reset();
  return to_text(problem);
}

} // namespace

std::string kernel_key(const SweepPlan &plan, const Schedule &schedule, const Target &target) {
  const std::string schedule_text = to_text(schedule, backend_for(target).knobs());
  std::string text;
  for (const std::string &part : {build_id(), plan.problem.norm->text, problem_read_by(plan), schedule_text, std::string(target.name)})
    text += part + '\0';
  return sha256(text);
}

KernelCache::KernelCache(std::string directory) : directory(std::move(directory)) {
  if (!this->directory.empty())
    make_writable_directory(this->directory);
}

std::optional<Kernel> KernelCache::find(const std::string &key) const {
  if (directory.empty())
    return std::nullopt;
  const auto file = llvm::MemoryBuffer::getFile(path(key), /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return std::nullopt;
  const auto [checksum, content] = (*file)->getBuffer().split('\n');
  if (checksum != sha256(content))
    return std::nullopt;
  const auto [facts, object] = content.split('\n');
  llvm::Expected<Kernel> kernel = llvm::json::parse<Kernel>(facts);
  if (!kernel) {
    llvm::consumeError(kernel.takeError());
    return std::nullopt;
  }
  kernel->object = object.str();
  return std::move(*kernel);
}

void KernelCache::store(const std::string &key, const Kernel &kernel) const {
  if (directory.empty())
    return;
  const std::string content = llvm::formatv("{0}\n", toJSON(kernel)).str() + kernel.object;
  try {
    write_files({{path(key), sha256(content) + "\n" + content}});
  } catch (const UserError &) { // the kernel is at hand all the same
  }
}

std::string default_cache_directory() {
  for (const auto &[variable, below] : {std::pair("XDG_CACHE_HOME", "/normforge"), std::pair("HOME", "/.cache/normforge")})
    if (const char *base = std::getenv(variable); base && base[0] == '/') {
      try {
        make_writable_directory(std::string(base) + below);
        return std::string(base) + below;
      } catch (const UserError &) { // a home that is read-only: nobody asked for a cache
        return "";
      }
    }
  return "";
}

} // namespace normforge
