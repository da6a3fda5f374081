// Nothing is approximate or flushed: there are no fast-math flags, so LLVM divides and takes square roots by the instructions that round
// correctly (.rn) and keeps subnormal numbers. With fusing off, it writes every sum and product with its rounding (add.rn, mul.rn), which
// also keeps ptxas from fusing them.
#include "codegen/cuda/ptx.h"

#include <mutex>

#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

#include "codegen/nest/optimize.h"
#include "dsl/error.h"

namespace normforge::cuda {
namespace {

constexpr char kTriple[] = "nvptx64-nvidia-cuda";

llvm::TargetMachine &machine_for(const Target &target) {
  static std::once_flag initialized;
  std::call_once(initialized, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  return nest::target_machine(target, kTriple);
}

} // namespace

std::string emit_ptx(llvm::Module &module, const Target &target, StageText *text) {
  llvm::TargetMachine &machine = machine_for(target);
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());
  module.setSourceFileName("");
  nest::optimize(module, machine);
  if (text) {
    llvm::raw_string_ostream stream(text->llvm);
    module.print(stream, nullptr);
  }
  std::string ptx = nest::generate(module, machine, llvm::CodeGenFileType::AssemblyFile);
  if (text)
    text->assembly = ptx;
  return ptx;
}

} // namespace normforge::cuda
