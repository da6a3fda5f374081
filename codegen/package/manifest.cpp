#include "codegen/package/manifest.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/SHA256.h"

namespace normforge {
namespace {

using llvm::json::Array;
using llvm::json::Object;

constexpr const char *kOrigins[] = {"generic", "specialized", "tuned"}; ///< by nf_origin

std::string sha256(const std::string &bytes) {
  return llvm::toHex(llvm::SHA256::hash(llvm::arrayRefFromStringRef(bytes)), /*LowerCase=*/true);
}

} // namespace

std::string object_name(const Kernel &kernel) { return "kernel_" + sha256(kernel.object).substr(0, 16); }

std::string manifest_text(const std::string &library, const std::vector<Problem> &problems, const std::string &schedules,
                          const std::string &assembler, const Selection &selection, const std::vector<Kernel> &kernels,
                          const std::vector<OutputFile> &files) {
  Array lines, functions, checksums;
  for (const Problem &problem : problems)
    lines.push_back(to_text(problem));
  size_t next = 0;
  for (const SelectedFunction &function : selection.functions) {
    Array entries;
    for (const SelectedKernel &selected : function.kernels) {
      const Kernel &kernel = kernels[next++];
      Object entry{
          {"problem", to_text(selected.plan->problem)}, {"schedule", kernel.schedule},   {"target", std::string(selected.target->name)},
          {"origin", kOrigins[selected.origin]},        {"object", object_name(kernel)}, {"bytes", int64_t(kernel.object.size())}};
      if (selected.target->gpu())
        entry["cubin_bytes"] = int64_t(kernel.image.size());
      if (!selected.device.empty())
        entry["device"] = selected.device;
      entries.push_back(std::move(entry));
    }
    const nf_function &table = function.table->function();
    functions.push_back(Object{{"name", table.name}, {"norm", table.norm}, {"kernels", std::move(entries)}});
  }
  for (const OutputFile &file : files)
    checksums.push_back(Object{{"path", file.path}, {"bytes", int64_t(file.bytes.size())}, {"sha256", sha256(file.bytes)}});
  Object manifest{{"library", library},           {"normforge", NORMFORGE_VERSION}, {"llvm", LLVM_VERSION_STRING},
                  {"problems", std::move(lines)}, {"schedules", schedules},         {"functions", std::move(functions)},
                  {"files", std::move(checksums)}};
  if (!assembler.empty())
    manifest["ptxas"] = assembler;
  return llvm::formatv("{0:2}\n", llvm::json::Value(std::move(manifest))).str();
}

} // namespace normforge
