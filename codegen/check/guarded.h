// Memory between two pages that nobody may touch: an access one element past either end of a buffer is a crash, not a silent pass.
#pragma once

#include <cstddef>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace normforge {

class Guarded {
public:
  enum Side { at_end, at_start }; ///< which end of the buffer touches a guard page
  Guarded() = default;
  Guarded(size_t bytes, Side side = at_end) {
    const size_t page = size_t(sysconf(_SC_PAGESIZE)), inner = (bytes + page - 1) / page * page;
    length_ = inner + 2 * page;
    map_ = static_cast<char *>(mmap(nullptr, length_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(map_, page, PROT_NONE);
    mprotect(map_ + page + inner, page, PROT_NONE);
    data_ = map_ + page + (side == at_end ? inner - bytes : 0);
  }
  Guarded(Guarded &&other) noexcept { swap(other); }
  Guarded &operator=(Guarded &&other) noexcept {
    swap(other);
    return *this;
  }
  ~Guarded() {
    if (map_)
      munmap(map_, length_);
  }
  char *data() const { return data_; }

private:
  void swap(Guarded &other) {
    std::swap(map_, other.map_);
    std::swap(data_, other.data_);
    std::swap(length_, other.length_);
  }
  char *map_ = nullptr, *data_ = nullptr;
  size_t length_ = 0;
};

} // namespace normforge
