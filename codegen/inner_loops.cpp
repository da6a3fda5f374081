#include "codegen/inner_loops.h"

#include <map>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/FormatVariadic.h"

namespace normforge {
namespace {

using llvm::StringRef;

/// Vector instructions that only move.
constexpr StringRef kMoves[] = {"vmov", "mov", "vbroadcast", "vpbroadcast", "vextract", "vinsert"};

bool is_branch(StringRef instruction) { return instruction.starts_with("j"); }

void count(StringRef instruction, InnerLoop &loop) {
  const auto [name, operands] = instruction.split('\t');
  ++loop.instructions;
  const size_t open = operands.find('(');
  const bool memory = open != StringRef::npos && !name.starts_with("lea"), constant = operands.contains("(%rip");
  const bool stack = operands.contains("(%rsp") || operands.contains("(%rbp");
  const bool only_moves = llvm::any_of(kMoves, [&](StringRef move) { return name.starts_with(move); });
  loop.vector += !only_moves && (operands.contains("%zmm") || operands.contains("%ymm") || operands.contains("%xmm"));
  if (name.starts_with("prefetch"))
    ++loop.prefetches;
  else if (memory && !constant) { // the last operand is written: a store's is memory, perhaps with a mask behind it
    const bool store = operands.substr(open).split(')').second.trim().empty() || operands.substr(open).split(')').second.starts_with(" {");
    const bool writes = store && operands.substr(0, open).contains('%');
    ++(writes ? stack ? loop.buffer_stores : loop.stores : stack ? loop.buffer_loads : loop.loads);
  }
}

} // namespace

std::vector<InnerLoop> inner_loops(std::string_view assembly) {
  llvm::SmallVector<StringRef> lines;
  StringRef(assembly.data(), assembly.size()).split(lines, '\n', -1, false);
  std::map<StringRef, size_t> labels;
  std::vector<std::pair<size_t, size_t>> loops; // label, last branch back
  for (size_t i = 0; i < lines.size(); ++i) {
    const StringRef line = lines[i].rtrim();
    if (line.ends_with(":"))
      labels[line.drop_back()] = i;
    const auto target = is_branch(line.ltrim()) ? labels.find(line.split('\t').second.split('\t').second) : labels.end();
    if (target == labels.end())
      continue;
    // A branch further back than a loop's own label belongs to a loop around it; one to the same label goes on with it.
    const size_t label = target->second;
    llvm::erase_if(loops, [&](const auto &loop) { return loop.first == label; });
    if (llvm::none_of(loops, [&](const auto &loop) { return loop.first > label; }))
      loops.emplace_back(label, i);
  }
  std::vector<InnerLoop> found;
  for (const auto &[begin, end] : loops) {
    InnerLoop &loop = found.emplace_back();
    for (size_t i = begin + 1; i <= end; ++i)
      if (const StringRef line = lines[i].trim(); !line.empty() && !line.starts_with(".") && !line.ends_with(":"))
        count(line, loop);
  }
  return found;
}

std::string loop_table(std::string_view assembly) {
  constexpr const char *kFormat = "{0,14}{1,8}{2,8}{3,8}{4,14}{5,8}{6,12}\n";
  std::string table = llvm::formatv(kFormat, "instructions", "vector", "loads", "stores", "buffer loads", "stores", "prefetches");
  for (const InnerLoop &loop : inner_loops(assembly))
    if (loop.vector)
      table += llvm::formatv(kFormat, loop.instructions, loop.vector, loop.loads, loop.stores, loop.buffer_loads, loop.buffer_stores,
                             loop.prefetches);
  return table;
}

} // namespace normforge
