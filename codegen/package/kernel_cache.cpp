#include "codegen/package/kernel_cache.h"

#include <algorithm>
#include <cstdlib>

#include "codegen/backend.h"
#include "codegen/kernel_file.h"
#include "codegen/package/build_id.h"
#include "codegen/package/files.h"
#include "dsl/error.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SHA256.h"

namespace normforge {
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

std::string kernel_key(const SweepPlan &plan, const Schedule &schedule, const Target &target, const std::string &assembler) {
  const std::string schedule_text = to_text(schedule, backend_for(target).knobs());
  std::string text;
  for (const std::string &part :
       {build_id(), plan.problem.norm->text, problem_read_by(plan), schedule_text, std::string(target.name), assembler})
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
  return parse_kernel((*file)->getBuffer());
}

void KernelCache::store(const std::string &key, const Kernel &kernel) const {
  if (directory.empty())
    return;
  try {
    write_files({{path(key), to_bytes(kernel)}});
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
