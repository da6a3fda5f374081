#include "codegen/package/table_module.h"

#include <mutex>

#include "codegen/package/tables.h"
#include "dsl/error.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

namespace normforge {

struct TableModule::Compiler {
  llvm::LLVMContext context;
  llvm::Module module{"tables", context};
  llvm::PointerType *pointer = llvm::PointerType::get(context, 0);
  std::unique_ptr<llvm::TargetMachine> machine;
};

TableModule::TableModule(std::string library) : library(std::move(library)), compiler(std::make_unique<Compiler>()) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
  const llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  internal_check(target);
  compiler->machine.reset(target->createTargetMachine(triple, "x86-64", "", {}, llvm::Reloc::PIC_));
  compiler->module.setTargetTriple(triple);
  compiler->module.setDataLayout(compiler->machine->createDataLayout());
  compiler->module.setPICLevel(llvm::PICLevel::BigPIC);
}

TableModule::~TableModule() = default;

llvm::Constant *TableModule::none() { return llvm::ConstantPointerNull::get(compiler->pointer); }

llvm::Constant *TableModule::text(const char *characters, const std::string &symbol) {
  return characters ? constant(llvm::ConstantDataArray::getString(compiler->context, characters), symbol) : none();
}

llvm::Constant *TableModule::bytes(const std::string &data, const std::string &symbol) {
  return constant(llvm::ConstantDataArray::getString(compiler->context, data), symbol);
}

llvm::Constant *TableModule::numbers(std::span<const int32_t> values) {
  return values.empty() ? none() : constant(llvm::ConstantDataArray::get(compiler->context, llvm::ArrayRef(values.data(), values.size())));
}

llvm::Constant *TableModule::numbers(std::span<const double> values) {
  return values.empty() ? none() : constant(llvm::ConstantDataArray::get(compiler->context, llvm::ArrayRef(values.data(), values.size())));
}

llvm::Constant *TableModule::pointers(const std::vector<llvm::Constant *> &elements) {
  return elements.empty() ? none() : constant(llvm::ConstantArray::get(llvm::ArrayType::get(compiler->pointer, elements.size()), elements));
}

llvm::Constant *TableModule::images_in_turn(const std::vector<ImageBytes> &images, const std::string &symbol) {
  std::vector<llvm::Constant *> parts;
  for (const auto &[bytes, pointers] : images) {
    size_t at = 0;
    const auto plain = [&](size_t end) {
      if (end > at)
        parts.push_back(llvm::ConstantDataArray::getString(compiler->context, llvm::StringRef(bytes).slice(at, end), /*AddNull=*/false));
    };
    for (const auto &[position, to] : pointers) {
      internal_check(position >= at);
      plain(position);
      parts.push_back(to);
      at = position + sizeof(void *);
    }
    plain(bytes.size());
  }
  return parts.empty() ? none() : constant(llvm::ConstantStruct::getAnon(compiler->context, parts, /*Packed=*/true), symbol);
}

llvm::Constant *TableModule::external(const std::string &symbol) {
  return compiler->module.getOrInsertGlobal(prefixed(library, symbol), llvm::Type::getInt8Ty(compiler->context));
}

void TableModule::forward(const std::string &symbol, size_t parameters, const std::string &callee, llvm::Constant *first) {
  llvm::IRBuilder<> builder(compiler->context);
  const auto type = [&](size_t count) {
    return llvm::FunctionType::get(builder.getInt32Ty(), std::vector<llvm::Type *>(count, compiler->pointer), false);
  };
  auto *function =
      llvm::Function::Create(type(parameters), llvm::GlobalValue::ExternalLinkage, prefixed(library, symbol), compiler->module);
  function->setDoesNotThrow();
  builder.SetInsertPoint(llvm::BasicBlock::Create(compiler->context, "", function));
  std::vector<llvm::Value *> arguments{first};
  for (llvm::Argument &argument : function->args())
    arguments.push_back(&argument);
  llvm::CallInst *call =
      builder.CreateCall(compiler->module.getOrInsertFunction(prefixed(library, callee), type(parameters + 1)), arguments);
  call->setTailCall();
  builder.CreateRet(call);
}

std::string TableModule::object() {
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream out(bytes);
  llvm::legacy::PassManager passes;
  internal_check(!compiler->machine->addPassesToEmitFile(passes, out, nullptr, llvm::CodeGenFileType::ObjectFile));
  passes.run(compiler->module);
  return bytes.str().str();
}

llvm::GlobalVariable *TableModule::constant(llvm::Constant *value, const std::string &symbol) {
  auto *variable = new llvm::GlobalVariable(compiler->module, value->getType(), true, llvm::GlobalValue::PrivateLinkage, value);
  if (!symbol.empty()) {
    variable->setName(prefixed(library, symbol));
    variable->setLinkage(llvm::GlobalValue::ExternalLinkage);
    variable->setVisibility(llvm::GlobalValue::HiddenVisibility);
  }
  variable->setAlignment(llvm::Align(8));
  return variable;
}

} // namespace normforge
