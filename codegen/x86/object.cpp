// x86 machine code from LLVM IR. There are no fast-math flags, and fusing multiplies with adds is off, so the bits are those of the IR.
#include "codegen/x86/object.h"

#include <mutex>

#include "llvm/Analysis/VectorUtils.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/IntrinsicsX86.h"
#include "llvm/IR/PatternMatch.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include "codegen/nest/optimize.h"
#include "codegen/nest/pipeline.h"
#include "dsl/error.h"

namespace normforge::x86 {
namespace {

constexpr char kTriple[] = "x86_64-unknown-linux-gnu";

llvm::TargetMachine &machine_for(const Target &target) {
  static std::once_flag initialized;
  std::call_once(initialized, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
  return nest::target_machine(target, kTriple, llvm::CodeModel::Small);
}

void set_attributes(llvm::Module &module, const Target &target, int vector_bits) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", llvm::StringRef(target.cpu));
    function.addFnAttr("tune-cpu", llvm::StringRef(target.tune));
    function.addFnAttr("prefer-vector-width", std::to_string(vector_bits));
    // Types wider than the preferred registers stay legal unless the function says that it needs none of them.
    function.addFnAttr("min-legal-vector-width", vector_bits < target.vector_bits ? "0" : std::to_string(vector_bits));
    function.addFnAttr("no-builtins");
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
}

// The 4, 8 or 16 lanes of `power` * 2^floor(`n`).
llvm::Value *scale_register(llvm::IRBuilder<> &builder, llvm::Value *power, llvm::Value *n, int lanes) {
  const llvm::Intrinsic::ID id = lanes == 16  ? llvm::Intrinsic::x86_avx512_mask_scalef_ps_512
                                 : lanes == 8 ? llvm::Intrinsic::x86_avx512_mask_scalef_ps_256
                                              : llvm::Intrinsic::x86_avx512_mask_scalef_ps_128;
  llvm::Value *all = lanes == 16 ? builder.getInt16(0xffff) : builder.getInt8(0xff);
  llvm::SmallVector<llvm::Value *> arguments = {power, n, llvm::PoisonValue::get(power->getType()), all};
  if (lanes == 16)
    arguments.push_back(builder.getInt32(4)); // the current rounding mode
  return builder.CreateIntrinsic(id, arguments);
}

// Makes vscalefps(p, n) of ldexp(p, floor(n)), which is what it computes, register by register. LLVM's own selection converts n to an
// integer and back, and crashes on vectors wider than the registers in use (22.1); scalars are left to it.
void select_scales(llvm::Module &module, int vector_bits) {
  using namespace llvm::PatternMatch;
  std::vector<llvm::IntrinsicInst *> calls;
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction : llvm::instructions(function))
      if (auto *call = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction);
          call && call->getIntrinsicID() == llvm::Intrinsic::ldexp && call->getType()->isVectorTy())
        calls.push_back(call);
  for (llvm::IntrinsicInst *call : calls) {
    llvm::Value *power = call->getArgOperand(0), *n = nullptr;
    const int lanes = int(llvm::cast<llvm::FixedVectorType>(power->getType())->getNumElements());
    const int piece = std::min(lanes, vector_bits / 32);
    if (piece < 4 || lanes % piece || !match(call->getArgOperand(1), m_FPToSI(m_Intrinsic<llvm::Intrinsic::floor>(m_Value(n)))))
      continue;
    llvm::IRBuilder<> builder(call);
    llvm::SmallVector<llvm::Value *> pieces;
    for (int first = 0; first < lanes; first += piece) {
      const llvm::SmallVector<int, 16> mask = llvm::createSequentialMask(unsigned(first), unsigned(piece), 0);
      pieces.push_back(scale_register(builder, builder.CreateShuffleVector(power, mask), builder.CreateShuffleVector(n, mask), piece));
    }
    call->replaceAllUsesWith(llvm::concatenateVectors(builder, pieces));
    call->eraseFromParent();
  }
}

// A kernel links into programs that have neither libm nor compiler support routines, so a call that instruction selection made up is a bug.
void check_self_contained(const std::string &object) {
  const auto file = llvm::cantFail(llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(object, "kernel")));
  for (const llvm::object::SymbolRef &symbol : file->symbols()) {
    const llvm::StringRef name = llvm::cantFail(symbol.getName());
    if (!name.empty() && llvm::cantFail(symbol.getFlags()) & llvm::object::SymbolRef::SF_Undefined)
      throw InternalError("a kernel calls " + name.str());
  }
}

} // namespace

std::string compile_module(mlir::ModuleOp kernels, const Target &target, const ObjectOptions &options, StageText *text) {
  llvm::LLVMContext context;
  const std::unique_ptr<llvm::Module> translated = nest::translate(kernels, context, text);
  llvm::Module &module = *translated;
  llvm::TargetMachine &machine = machine_for(target);
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());
  module.setSourceFileName("");
  set_attributes(module, target, options.vector_bits);
  if (target.scale)
    select_scales(module, options.vector_bits);
  nest::optimize(module, machine);
  if (text) {
    llvm::raw_string_ostream stream(text->llvm);
    module.print(stream, nullptr);
    text->assembly = nest::generate(*llvm::CloneModule(module), machine, llvm::CodeGenFileType::AssemblyFile);
  }
  std::string object = nest::generate(module, machine, llvm::CodeGenFileType::ObjectFile);
  check_self_contained(object);
  return object;
}

} // namespace normforge::x86
