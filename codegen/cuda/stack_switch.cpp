#include "codegen/cuda/stack_switch.h"

#include <cstdint>

// System V ABI, AMD64, 3.2.1: a function keeps rbx, rbp, r12 to r15 and the stack pointer. (It keeps the control words of x87 and SSE as
// well, which no emulated thread sets.)
asm(R"(
.text
.globl normforge_switch_stack
.hidden normforge_switch_stack
.type normforge_switch_stack, @function
normforge_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size normforge_switch_stack, . - normforge_switch_stack
)");

namespace normforge::cuda {

StackTop new_stack(char *memory, size_t bytes, void (*entry)()) {
  constexpr size_t kAlignment = 16, kKept = 6;
  auto *top = reinterpret_cast<uintptr_t *>((reinterpret_cast<uintptr_t>(memory) + bytes) / kAlignment * kAlignment);
  *--top = 0; // an entry finds the stack as a call leaves it: with the address to return to, here none, below a multiple of 16
  *--top = reinterpret_cast<uintptr_t>(entry);
  for (size_t i = 0; i < kKept; ++i)
    *--top = 0;
  return top;
}

} // namespace normforge::cuda
