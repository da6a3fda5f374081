#include "codegen/kernel_file.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
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

static Value toJSON(const Launch &launch) {
  return Object{{"threads", launch.threads},           {"rows", launch.rows},
                {"cluster", launch.cluster},           {"resident", launch.resident},
                {"shared_bytes", launch.shared_bytes}, {"access_bytes", launch.access_bytes},
                {"point_bytes", launch.point_bytes},   {"parameters", llvm::json::Array(launch.parameters)}};
}
static bool fromJSON(const Value &value, Launch &launch, Path path) {
  ObjectMapper map(value, path);
  return map && map.map("threads", launch.threads) && map.map("rows", launch.rows) && map.map("cluster", launch.cluster) &&
         map.map("resident", launch.resident) && map.map("shared_bytes", launch.shared_bytes) &&
         map.map("access_bytes", launch.access_bytes) && map.map("point_bytes", launch.point_bytes) &&
         map.map("parameters", launch.parameters);
}

static Value toJSON(const Step &step) {
  return Object{{"symbol", step.symbol},
                {"items", ::toJSON(step.items)},
                {"item_bytes", step.item_bytes},
                {"entry", step.entry},
                {"launch", toJSON(step.launch)}};
}
static bool fromJSON(const Value &value, Step &step, Path path) {
  ObjectMapper map(value, path);
  return map && map.map("symbol", step.symbol) && map.map("items", step.items) && map.map("item_bytes", step.item_bytes) &&
         map.map("entry", step.entry) && map.map("launch", step.launch);
}

/// What stands before the code.
struct Facts {
  Kernel kernel;
  int64_t object_bytes = 0;
};

static Value toJSON(const Facts &facts) {
  const Kernel &kernel = facts.kernel;
  return Object{{"problem", kernel.problem},
                {"schedule", kernel.schedule},
                {"target", kernel.target},
                {"steps", kernel.steps},
                {"workspace", kernel.workspace},
                {"grain_bytes", kernel.grain_bytes},
                {"spilled_bytes", kernel.spilled_bytes},
                {"code_hash", kernel.code_hash},
                {"writes", kernel.writes},
                {"may_write", kernel.may_write},
                {"object_bytes", facts.object_bytes}};
}
static bool fromJSON(const Value &value, Facts &facts, Path path) {
  ObjectMapper map(value, path);
  Kernel &kernel = facts.kernel;
  return map && map.map("problem", kernel.problem) && map.map("schedule", kernel.schedule) && map.map("target", kernel.target) &&
         map.map("steps", kernel.steps) && map.map("workspace", kernel.workspace) && map.map("grain_bytes", kernel.grain_bytes) &&
         map.map("spilled_bytes", kernel.spilled_bytes) && map.map("code_hash", kernel.code_hash) && map.map("writes", kernel.writes) &&
         map.map("may_write", kernel.may_write) && map.map("object_bytes", facts.object_bytes);
}

static std::string sha256(llvm::StringRef bytes) {
  return llvm::toHex(llvm::SHA256::hash(llvm::arrayRefFromStringRef(bytes)), /*LowerCase=*/true);
}

std::string to_bytes(const Kernel &kernel) {
  const Facts facts{kernel, int64_t(kernel.object.size())};
  const std::string content = llvm::formatv("{0}\n", toJSON(facts)).str() + kernel.object + kernel.image;
  return sha256(content) + "\n" + content;
}

std::optional<Kernel> parse_kernel(std::string_view bytes) {
  const auto [checksum, content] = llvm::StringRef(bytes).split('\n');
  if (checksum != sha256(content))
    return std::nullopt;
  const auto [line, code] = content.split('\n');
  llvm::Expected<Facts> facts = llvm::json::parse<Facts>(line);
  if (!facts) {
    llvm::consumeError(facts.takeError());
    return std::nullopt;
  }
  facts->kernel.object = code.take_front(size_t(facts->object_bytes)).str();
  facts->kernel.image = code.drop_front(std::min(code.size(), size_t(facts->object_bytes))).str();
  return std::move(facts->kernel);
}

} // namespace normforge
