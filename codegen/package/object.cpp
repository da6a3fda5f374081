#include "codegen/package/object.h"

#include "dsl/error.h"
#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/Archive.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/Error.h"

namespace normforge {
namespace {

/// These objects are our own, so whatever LLVM says of them is a bug.
void check(llvm::Error error) {
  if (error)
    throw InternalError("object file: " + llvm::toString(std::move(error)));
}

template <class T> T check(llvm::Expected<T> value) {
  check(value.takeError());
  return std::move(*value);
}

llvm::MemoryBufferRef buffer(std::string_view bytes) { return {bytes, "object"}; }

} // namespace

std::vector<std::string> defined_symbols(std::string_view object) {
  std::vector<std::string> names;
  const auto file = check(llvm::object::ObjectFile::createObjectFile(buffer(object)));
  for (const llvm::object::SymbolRef &symbol : file->symbols()) {
    const uint32_t flags = check(symbol.getFlags());
    if ((flags & llvm::object::SymbolRef::SF_Global) && !(flags & llvm::object::SymbolRef::SF_Undefined))
      names.push_back(check(symbol.getName()).str());
  }
  return names;
}

std::string rename_symbols(std::string_view object, const std::map<std::string, SymbolName> &names) {
  llvm::objcopy::ConfigManager config;
  config.Common.StripDebug = true;
  llvm::objcopy::NameMatcher hidden, seen;
  for (const auto &[from, name] : names) {
    config.Common.SymbolsToRename[from] = name.to;
    check((name.hidden ? hidden : seen)
              .addMatcher(
                  llvm::objcopy::NameOrPattern::create(from, llvm::objcopy::MatchStyle::Literal, [](llvm::Error error) { return error; })));
  }
  config.ELF.SymbolsToSetVisibility.emplace_back(std::move(hidden), llvm::ELF::STV_HIDDEN);
  config.ELF.SymbolsToSetVisibility.emplace_back(std::move(seen), llvm::ELF::STV_DEFAULT);
  const auto file = check(llvm::object::ObjectFile::createObjectFile(buffer(object)));
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream out(bytes);
  check(llvm::objcopy::executeObjcopyOnBinary(config, *file, out));
  return bytes.str().str();
}

std::vector<Member> read_archive(std::string_view bytes) {
  std::vector<Member> members;
  const auto archive = check(llvm::object::Archive::create(buffer(bytes)));
  llvm::Error error = llvm::Error::success();
  for (const llvm::object::Archive::Child &child : archive->children(error))
    members.push_back({check(child.getName()).str(), check(child.getBuffer()).str()});
  check(std::move(error));
  return members;
}

std::string write_archive(const std::vector<Member> &members) {
  std::vector<llvm::NewArchiveMember> entries;
  for (const Member &member : members)
    entries.emplace_back(llvm::MemoryBufferRef(member.bytes, member.name));
  const auto archive = check(llvm::writeArchiveToBuffer(entries, llvm::SymtabWritingMode::NormalSymtab, llvm::object::Archive::K_GNU,
                                                        /*Deterministic=*/true, /*Thin=*/false));
  return archive->getBuffer().str();
}

} // namespace normforge
