#include "hand.h"

#include <cstdlib>
#include <memory>

namespace hand {

std::string name(const Kernel &kernel) {
  std::string text = kernel.rows == 1 ? "" : std::to_string(kernel.rows) + " rows";
  for (auto [set, word] : {std::pair(kernel.stream, "streaming"), std::pair(kernel.prefetch, "prefetch")})
    if (set)
      text += (text.empty() ? "" : ", ") + std::string(word);
  return text.empty() ? "plain" : text;
}

float *scratch(int64_t floats) {
  struct Free {
    void operator()(float *memory) const { std::free(memory); }
  };
  thread_local std::unique_ptr<float, Free> memory;
  thread_local int64_t size = 0;
  if (size < floats) {
    size = (floats + 1023) / 1024 * 1024;
    memory.reset(static_cast<float *>(std::aligned_alloc(64, size_t(size) * sizeof(float))));
  }
  return memory.get();
}

} // namespace hand
