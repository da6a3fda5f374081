#include "codegen/image.h"

#include <cstring>
#include <map>

#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Object/RelocationResolver.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include "dsl/error.h"

using llvm::object::ELFObjectFileBase;
using llvm::object::ELFSectionRef;
using llvm::object::ELFSymbolRef;
using llvm::object::ObjectFile;
using llvm::object::RelocationRef;
using llvm::object::SectionRef;
using llvm::object::SymbolRef;

namespace normforge {
namespace {

constexpr char kTrap = '\xcc'; ///< between sections: an instruction that ends the process

[[noreturn]] void refuse(const std::string &what) { throw InternalError("a kernel's object: " + what); }

template <class T> T check(llvm::Expected<T> value) {
  if (!value)
    refuse("it is malformed: " + llvm::toString(value.takeError()));
  return std::move(*value);
}

class Linker {
public:
  explicit Linker(Kernel &kernel)
      : kernel(kernel), file(check(ObjectFile::createObjectFile(llvm::MemoryBufferRef(kernel.object, "kernel")))) {}

  void run() {
    kernel.image.clear();
    // Code first, and constants from a cache line of their own on.
    for (const bool code : {true, false})
      for (const SectionRef &section : file->sections())
        if (in_memory(section) && section.isText() == code)
          place(section);
    for (const SectionRef &section : file->sections())
      if (const auto target = check(section.getRelocatedSection()); target != file->section_end() && in_memory(*target))
        for (const RelocationRef &relocation : section.relocations())
          resolve(*target, relocation);
    for (Step &step : kernel.steps)
      step.entry = entry(step.symbol);
  }

private:
  Kernel &kernel;
  std::unique_ptr<ObjectFile> file;
  std::map<SectionRef, uint64_t> places; ///< in the image

  static bool in_memory(const SectionRef &section) {
    const uint64_t flags = ELFSectionRef(section).getFlags();
    if (flags & llvm::ELF::SHF_ALLOC && flags & llvm::ELF::SHF_WRITE && section.getSize() > 0)
      refuse("it has data that is written to, in " + check(section.getName()).str());
    return flags & llvm::ELF::SHF_ALLOC && section.getSize() > 0;
  }

  void place(const SectionRef &section) {
    constexpr uint64_t kLine = 64;
    const uint64_t alignment = std::max(section.getAlignment().value(), kLine);
    if (alignment > kImageAlignment)
      refuse("a section wants to be aligned to " + std::to_string(alignment) + " bytes");
    kernel.image.resize(llvm::alignTo(kernel.image.size(), alignment), kTrap);
    places[section] = kernel.image.size();
    kernel.image += check(section.getContents());
  }

  /// Where a symbol stands in the image.
  uint64_t place_of(const SymbolRef &symbol) const {
    const auto at = places.find(*check(symbol.getSection()));
    if (at == places.end())
      refuse("it refers to " + check(symbol.getName()).str() + ", outside itself");
    return at->second + check(symbol.getValue());
  }

  void resolve(const SectionRef &target, const RelocationRef &relocation) {
    if (relocation.getType() != llvm::ELF::R_X86_64_PC32 && relocation.getType() != llvm::ELF::R_X86_64_PLT32)
      refuse("relocation " + std::to_string(relocation.getType()) + " depends on where it is loaded");
    const auto symbol = relocation.getSymbol();
    if (symbol == file->symbol_end())
      refuse("a relocation without a symbol");
    const auto resolver = llvm::object::getRelocationResolver(*file).second;
    const uint64_t at = places.at(target) + relocation.getOffset();
    const int64_t addend = check(llvm::object::ELFRelocationRef(relocation).getAddend());
    const auto value = uint32_t(resolver(llvm::ELF::R_X86_64_PC32, at, place_of(*symbol), 0, addend));
    if (at + sizeof value > kernel.image.size())
      refuse("a relocation past the end");
    std::memcpy(kernel.image.data() + at, &value, sizeof value);
  }

  int64_t entry(const std::string &name) const {
    for (const SymbolRef &symbol : file->symbols())
      if (check(symbol.getName()) == name)
        return int64_t(place_of(symbol));
    refuse("it lacks its symbol " + name);
  }
};

} // namespace

void make_image(Kernel &kernel) { Linker(kernel).run(); }

} // namespace normforge
