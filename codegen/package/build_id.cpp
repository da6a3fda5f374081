#include "codegen/package/build_id.h"

#include <cstring>
#include <elf.h>
#include <filesystem>
#include <link.h>

#include "dsl/error.h"
#include "llvm/ADT/StringExtras.h"

namespace normforge {
namespace {

/// Appends the build id among the notes in [note, end), if there is one.
void append_id(const char *note, const char *end, std::string &text) {
  while (note + sizeof(ElfW(Nhdr)) <= end) {
    ElfW(Nhdr) header;
    std::memcpy(&header, note, sizeof header);
    const char *name = note + sizeof header, *value = name + (header.n_namesz + 3 & ~3u);
    if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0)
      text += " " + llvm::toHex(llvm::StringRef(value, header.n_descsz), /*LowerCase=*/true);
    note = value + (header.n_descsz + 3 & ~3u);
  }
}

int append_object(dl_phdr_info *object, size_t, void *text) {
  const std::string name = std::filesystem::path(object->dlpi_name).filename();
  if (name.starts_with("linux-vdso")) // the kernel's
    return 0;
  std::string &ids = *static_cast<std::string *>(text);
  ids += name;
  for (int i = 0; i < object->dlpi_phnum; ++i)
    if (const ElfW(Phdr) &segment = object->dlpi_phdr[i]; segment.p_type == PT_NOTE) {
      const auto *begin = reinterpret_cast<const char *>(object->dlpi_addr + segment.p_vaddr);
      append_id(begin, begin + segment.p_memsz, ids);
    }
  ids += "\n";
  return 0;
}

} // namespace

const std::string &build_id() {
  static const std::string text = [] {
    std::string ids;
    dl_iterate_phdr(append_object, &ids);
    internal_check(ids.starts_with(' ')); // the program, which has no name here: the build asks the linker for its id
    return ids;
  }();
  return text;
}

} // namespace normforge
