#include "tests/autotune/search_support.h"

#include <cstring>
#include <elf.h>

#include "codegen/hash.h"
#include "dsl/error.h"

namespace normforge::testing {

std::optional<std::string> ChangedBackend::inapplicable(const SweepPlan &plan, const Schedule &schedule, const Target &target) const {
  const Schedule base = default_schedule(plan, target);
  for (size_t i = 0; i < knobs().size(); ++i)
    if (knobs()[i].name != "rows" && knobs()[i].name != "unroll" && schedule.mapping.values[i] != base.mapping.values[i])
      return std::string("schedule: ") + std::string(knobs()[i].name) + ": not in this test";
  return real().inapplicable(plan, schedule, target);
}

Kernel ChangedBackend::compile(const SweepPlan &plan, const Schedule &schedule, const Target &target, const std::string &symbol,
                               StageText *text) const {
  Kernel kernel = real().compile(plan, schedule, target, symbol, text);
  if (change)
    change(kernel, schedule);
  return kernel;
}

int64_t knob(const Schedule &schedule, std::string_view name) {
  const std::span<const Knob> knobs = backend_for(host_target()).knobs();
  for (size_t i = 0; i < knobs.size(); ++i)
    if (knobs[i].name == name)
      return schedule.mapping.values[i];
  throw InternalError("no knob " + std::string(name));
}

void replace_code(Kernel &kernel, std::string_view machine_code) {
  Elf64_Ehdr header;
  std::memcpy(&header, kernel.object.data(), sizeof header);
  const auto section = [&](size_t i) {
    Elf64_Shdr entry;
    std::memcpy(&entry, kernel.object.data() + header.e_shoff + i * sizeof entry, sizeof entry);
    return entry;
  };
  for (size_t i = 0; i < header.e_shnum; ++i) {
    const Elf64_Shdr symbols = section(i);
    if (symbols.sh_type != SHT_SYMTAB)
      continue;
    for (size_t at = 0; at < symbols.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, kernel.object.data() + symbols.sh_offset + at, sizeof symbol);
      if (kernel.steps.front().symbol != kernel.object.data() + section(symbols.sh_link).sh_offset + symbol.st_name)
        continue;
      internal_check(symbol.st_size >= machine_code.size());
      std::memcpy(kernel.object.data() + section(symbol.st_shndx).sh_offset + symbol.st_value, machine_code.data(), machine_code.size());
      kernel.code_hash = hash_of(kernel.object);
      return;
    }
  }
  throw InternalError("the kernel's first step is not in its object");
}

} // namespace normforge::testing
