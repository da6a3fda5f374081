// What a kernel spends its instructions on, read off its assembly: a loop without a loop in it is where the time goes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace normforge {

/// Instructions of one iteration of an innermost loop.
struct InnerLoop {
  int instructions = 0;
  int vector = 0;                          ///< that compute on vector registers; those that only move do not count
  int loads = 0, stores = 0;               ///< of tensors,
  int buffer_loads = 0, buffer_stores = 0; ///< of the stack, where row buffers and spilled registers are
  int prefetches = 0;
};

/// The innermost loops of x86 assembly in AT&T syntax, in order. A loop runs from a label to the last branch back to it.
std::vector<InnerLoop> inner_loops(std::string_view assembly);

/// Those with vector instructions as a table, a line each, behind a line of headings.
std::string loop_table(std::string_view assembly);

} // namespace normforge
