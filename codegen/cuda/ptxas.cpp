// Runs ptxas on a kernel and reads what it says (-v): it alone knows how many registers a kernel takes, and whether it spills.
#include "codegen/resources.h"

#include <algorithm>
#include <cstdlib>
#include <regex>
#include <vector>

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include "codegen/cuda/async_copy.h"
#include "codegen/cuda/registers.h"
#include "dsl/error.h"

namespace normforge {
namespace {

constexpr int64_t kRegisterUnit = 256; ///< what a warp's registers are rounded up to
constexpr int64_t kOfCluster = 18;     ///< multiprocessors of a GPC, over which a cluster's blocks lie (NVIDIA H100 whitepaper)
constexpr char kRemedy[] = "; install the CUDA toolkit, or name its ptxas by NORMFORGE_PTXAS";

/// A file of its own, gone with the object.
class Temporary {
public:
  explicit Temporary(llvm::StringRef suffix) {
    if (llvm::sys::fs::createTemporaryFile("normforge", suffix, path))
      throw UserError("no temporary file can be made");
    remover.setFile(path);
  }
  llvm::StringRef name() const { return path; }
  std::string text() const {
    const auto buffer = llvm::MemoryBuffer::getFile(path);
    return buffer ? (*buffer)->getBuffer().str() : std::string();
  }

private:
  llvm::SmallString<128> path;
  llvm::FileRemover remover;
};

UserError cannot(const std::string &ptxas, const std::string &asked, const std::string &reason) {
  return UserError(ptxas + " does not " + asked + ": " + reason);
}

/// Runs ptxas and returns what it says. Throws UserError, naming what it was `asked` and the `remedy`, where it fails.
std::string run(const std::string &ptxas, std::vector<llvm::StringRef> arguments, const std::string &asked, const std::string &remedy) {
  const Temporary report("txt");
  arguments.insert(arguments.begin(), ptxas);
  const std::optional<llvm::StringRef> streams[] = {std::nullopt, report.name(), report.name()};
  std::string failure;
  const int status = llvm::sys::ExecuteAndWait(ptxas, arguments, std::nullopt, streams, /*SecondsToWait=*/0, /*MemoryLimit=*/0, &failure);
  const std::string said = report.text();
  if (status != 0) {
    const std::string reason = failure.empty() ? said.substr(0, said.find('\n')) : failure;
    throw cannot(ptxas, asked, reason.empty() ? "exit status " + std::to_string(status) + kRemedy : reason + remedy);
  }
  return said;
}

/// The sum of the numbers before `unit` in a report.
int64_t sum_before(const std::string &text, const std::string &unit) {
  const std::regex number("(\\d+) (bytes )?" + unit);
  int64_t sum = 0;
  for (std::sregex_iterator at(text.begin(), text.end(), number); at != std::sregex_iterator(); ++at)
    sum += std::stoll((*at)[1]);
  return sum;
}

struct Assembled {
  std::string cubin, said;
  int64_t spilled_bytes = 0;
  int64_t registers = 0; ///< of all steps together
};

Assembled assemble_once(const std::string &ptxas, const std::string &ptx, const Target &gpu) {
  const Temporary source("ptx"), cubin("cubin");
  std::error_code error;
  llvm::raw_fd_ostream(source.name(), error) << ptx;
  if (error)
    throw UserError("cannot write " + source.name().str() + ": " + error.message());
  const std::string architecture = "-arch=" + std::string(gpu.cpu);
  Assembled assembled;
  const std::string asked = "assemble the kernel for " + std::string(gpu.name);
  assembled.said = run(ptxas, {architecture, "-v", "-o", cubin.name(), source.name()}, asked, "");
  assembled.cubin = cubin.text();
  if (assembled.cubin.empty())
    throw cannot(ptxas, asked, std::string("it ends well and writes nothing") + kRemedy);
  assembled.registers = sum_before(assembled.said, "registers");
  assembled.spilled_bytes = sum_before(assembled.said, "spill (stores|loads)");
  return assembled;
}

/// Told how many blocks a multiprocessor is to hold, ptxas uses all registers that this leaves, and at times spills a few, though it needs
/// no more than those when it is not told.
Assembled assemble(const std::string &ptxas, const std::string &ptx, const Target &gpu) {
  Assembled told = assemble_once(ptxas, ptx, gpu);
  if (!told.spilled_bytes)
    return told;
  static const std::regex blocks("\\.minnctapersm \\d+");
  Assembled untold = assemble_once(ptxas, std::regex_replace(ptx, blocks, ""), gpu);
  return untold.spilled_bytes < told.spilled_bytes && untold.registers <= told.registers ? untold : told;
}

/// Bytes of the widest load or copy from global memory in a step's PTX.
int widest_load(const std::string &ptx, const std::string &symbol) {
  const size_t begin = ptx.find(".entry " + symbol + "("), end = ptx.find(".entry ", begin + 1);
  const std::string body = ptx.substr(begin, end - begin);
  static const std::regex load("ld\\.global(?:\\.[a-z]+)*(?:\\.v([248]))?\\.[bf](\\d+)");
  static const std::regex copy("cp\\.async\\.c[ag]\\.shared\\.global [^;]*, (4|8|16)[,;]");
  int widest = body.find("cp.async.bulk.") == body.npos ? 0 : int(cuda::kBulkPiece); // at least
  for (std::sregex_iterator at(body.begin(), body.end(), copy); at != std::sregex_iterator(); ++at)
    widest = std::max(widest, std::stoi((*at)[1]));
  for (std::sregex_iterator at(body.begin(), body.end(), load); at != std::sregex_iterator(); ++at)
    widest = std::max(widest, ((*at)[1].matched ? std::stoi((*at)[1]) : 1) * std::stoi((*at)[2]) / 8);
  return widest;
}

/// How many warps of a step fit a multiprocessor at once. Blocks of a cluster start together in one GPC, which holds whole clusters alone
/// (CUDA C++ Programming Guide, thread block clusters): what is left over of it does nothing.
int64_t resident_warps(const Launch &launch, int64_t registers, const Target &gpu) {
  const int64_t warps = (launch.threads * launch.rows + cuda::kWarp - 1) / cuda::kWarp;
  const int64_t rounded = (registers * cuda::kWarp + kRegisterUnit - 1) / kRegisterUnit * kRegisterUnit;
  const int64_t blocks = std::min<int64_t>({gpu.warps / warps, gpu.blocks, cuda::kPartFile / rounded * cuda::kParts / warps,
                                            (gpu.shared_bytes + cuda::kReservedShared) / (launch.shared_bytes + cuda::kReservedShared)});
  return blocks * kOfCluster / launch.cluster * launch.cluster * warps / kOfCluster;
}

} // namespace

std::string find_ptxas() {
  if (const char *named = std::getenv("NORMFORGE_PTXAS"))
    return named;
  if (auto found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  auto found = llvm::sys::findProgramByName("ptxas", {"/usr/local/cuda/bin", "/opt/cuda/bin"});
  return found ? *found : std::string();
}

std::string ptxas_version(const std::string &ptxas) {
  const llvm::StringRef said = llvm::StringRef(run(ptxas, {"--version"}, "say its version", kRemedy)).rtrim();
  return said.substr(said.rfind('\n') + 1).str();
}

Cubin cubin_of(const Kernel &kernel, const Target &gpu, const std::string &ptxas) {
  Assembled assembled = assemble(ptxas, kernel.object, gpu);
  return {std::move(assembled.cubin), assembled.spilled_bytes};
}

std::vector<StepResources> resources_of(const Kernel &kernel, const Target &gpu) {
  const std::string ptxas = find_ptxas();
  if (ptxas.empty())
    throw UserError("resources: no ptxas on the PATH; install the CUDA toolkit, or name one by NORMFORGE_PTXAS");
  const std::string said = assemble(ptxas, kernel.object, gpu).said;
  std::vector<StepResources> steps;
  for (const Step &step : kernel.steps) {
    const size_t begin = said.find("'" + step.symbol + "'");
    if (begin == said.npos)
      throw UserError(ptxas + " says nothing of kernel " + step.symbol);
    const std::string part = said.substr(begin, said.find("Compiling entry", begin) - begin);
    const int64_t registers = sum_before(part, "registers");
    steps.push_back({.symbol = step.symbol,
                     .registers = registers,
                     .spilled = sum_before(part, "spill (stores|loads)"),
                     .local = sum_before(part, "stack frame"),
                     .shared = step.launch.shared_bytes,
                     .threads = step.launch.threads * step.launch.rows,
                     .warps = resident_warps(step.launch, registers, gpu),
                     .most_warps = gpu.warps,
                     .access = widest_load(kernel.object, step.symbol),
                     .promised = step.launch.access_bytes,
                     .point = step.launch.point_bytes});
  }
  return steps;
}

std::string to_table(const std::vector<StepResources> &steps) {
  constexpr char kLine[] = "{0,9} {1,7} {2,6} {3,8} {4,8} {5,6} {6,7} {7,8} {8,14}  {9}\n";
  std::string table =
      llvm::formatv(kLine, "registers", "spilled", "local", "shared", "threads", "warps", "access", "promised", "bytes/element", "kernel");
  for (const StepResources &step : steps)
    table +=
        llvm::formatv(kLine, step.registers, step.spilled, step.local, step.shared, step.threads,
                      llvm::formatv("{0}/{1}", step.warps, step.most_warps).str(), step.access, step.promised, step.point, step.symbol);
  return table;
}

} // namespace normforge
