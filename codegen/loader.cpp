// Loads an object with LLVM's RuntimeDyld: one memory block per kernel, mapped executable once its relocations are applied and unmapped
// with the kernel. A kernel calls nothing, so there is nothing to resolve, and thousands of them can come and go while a tuner runs.
#include "codegen/loader.h"

#include "llvm/ExecutionEngine/RTDyldMemoryManager.h"
#include "llvm/ExecutionEngine/RuntimeDyld.h"
#include "llvm/ExecutionEngine/SectionMemoryManager.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/MemoryBuffer.h"

#include "codegen/target.h"
#include "dsl/error.h"

namespace normforge {
namespace {

// A kernel that refers to anything outside itself is a bug of the code generator: the lookup finds nothing and RuntimeDyld reports the
// name.
struct NothingOutside final : llvm::LegacyJITSymbolResolver {
  llvm::JITSymbol findSymbol(const std::string &) override { return nullptr; }
  llvm::JITSymbol findSymbolInLogicalDylib(const std::string &) override { return nullptr; }
};

// Without unwind tables there are no frames to register with the C++ runtime.
struct KernelMemory final : llvm::SectionMemoryManager {
  KernelMemory() : SectionMemoryManager(/*MM=*/nullptr, /*ReserveAlloc=*/true) {}
  void registerEHFrames(uint8_t *, uint64_t, size_t) override {}
};

} // namespace

struct LoadedKernel::Code {
  KernelMemory memory; // outlives the steps that point into it
  std::vector<nf_step> steps;
};

LoadedKernel::LoadedKernel(const Kernel &kernel) : code(std::make_unique<Code>()) {
  if (!runs_here(find_target(kernel.target)))
    throw UserError("this machine does not run " + kernel.target + " code; choose " + std::string(host_target().name) + " or lower");
  llvm::Expected<std::unique_ptr<llvm::object::ObjectFile>> object =
      llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(kernel.object, "kernel"));
  if (!object)
    throw InternalError("a kernel's object is malformed: " + llvm::toString(object.takeError()));
  NothingOutside outside;
  llvm::RuntimeDyld linker(code->memory, outside);
  linker.loadObject(**object);
  linker.resolveRelocations();
  std::string error;
  if (linker.hasError())
    throw InternalError("a kernel does not load: " + linker.getErrorString().str());
  if (code->memory.finalizeMemory(&error))
    throw InternalError("a kernel's memory cannot be made executable: " + error);
  for (const Step &step : kernel.steps) {
    const llvm::JITEvaluatedSymbol symbol = linker.getSymbol(step.symbol);
    if (!symbol)
      throw InternalError("a kernel's object lacks its symbol " + step.symbol);
    code->steps.push_back({reinterpret_cast<nf_kernel_fn>(symbol.getAddress()), step.items});
  }
}

LoadedKernel::~LoadedKernel() = default;
LoadedKernel::LoadedKernel(LoadedKernel &&) noexcept = default;
LoadedKernel &LoadedKernel::operator=(LoadedKernel &&) noexcept = default;

const std::vector<nf_step> &LoadedKernel::steps() const { return code->steps; }

} // namespace normforge
