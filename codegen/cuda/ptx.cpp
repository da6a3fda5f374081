// Nothing is approximate or flushed: there are no fast-math flags, so LLVM divides and takes square roots by the instructions that round
// correctly (.rn) and keeps subnormal numbers. With fusing off, it writes every sum and product with its rounding (add.rn, mul.rn), which
// also keeps ptxas from fusing them. Loops stay as the schedule unrolled them: where ptxas unrolls them further, it spills registers.
#include "codegen/cuda/ptx.h"

#include <mutex>

#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/BypassSlowDivision.h"
#include "llvm/Transforms/Utils/IntegerDivision.h"

#include "codegen/cuda/async_copy.h"
#include "codegen/nest/optimize.h"
#include "dsl/error.h"

namespace normforge::cuda {
namespace {

constexpr char kTriple[] = "nvptx64-nvidia-cuda";
constexpr char kKeepLoops[] = ".pragma \"nounroll\";";
constexpr char kBulkFeature[] = "+ptx80"; ///< the first version of PTX that has bulk copies

llvm::TargetMachine &machine_for(const Target &target) {
  static std::once_flag initialized;
  std::call_once(initialized, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  return nest::target_machine(target, kTriple, std::nullopt, target.level >= kBulkCopies ? kBulkFeature : "");
}

/// Divides by shifts and subtractions, or in 32 bits where both numbers fit: ptxas calls a function for 64, and a call spills registers.
void expand_divisions(llvm::Function &function) {
  const auto is_wide = [](const llvm::Instruction &instruction) {
    const unsigned code = instruction.getOpcode();
    return (code == llvm::Instruction::UDiv || code == llvm::Instruction::URem) && instruction.getType()->isIntegerTy(64) &&
           !llvm::isa<llvm::Constant>(instruction.getOperand(1));
  };
  for (llvm::BasicBlock *block = &function.front(), *next = nullptr; block; block = next) {
    next = block->getNextNode();
    llvm::bypassSlowDivision(block, {{64, 32}});
  }
  std::vector<llvm::BinaryOperator *> divisions;
  for (llvm::Instruction &instruction : llvm::instructions(function))
    if (is_wide(instruction))
      divisions.push_back(llvm::cast<llvm::BinaryOperator>(&instruction));
  for (llvm::BinaryOperator *division : divisions)
    division->getOpcode() == llvm::Instruction::UDiv ? llvm::expandDivision(division) : llvm::expandRemainder(division);
}

} // namespace

std::string emit_ptx(llvm::Module &module, const Target &target, StageText *text) {
  llvm::TargetMachine &machine = machine_for(target);
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());
  module.setSourceFileName("");
  nest::optimize(module, machine);
  for (llvm::Function &function : module)
    if (!function.isDeclaration())
      expand_divisions(function);
  if (text) {
    llvm::raw_string_ostream stream(text->llvm);
    module.print(stream, nullptr);
  }
  module.setModuleInlineAsm(kKeepLoops);
  std::string ptx = nest::generate(module, machine, llvm::CodeGenFileType::AssemblyFile);
  if (text)
    text->assembly = ptx;
  return ptx;
}

} // namespace normforge::cuda
