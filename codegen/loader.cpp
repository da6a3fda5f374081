// An image is mapped as it is, one block per kernel, executable once it is complete and unmapped with the kernel, so that thousands of
// them can come and go while a tuner runs.
#include "codegen/loader.h"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <utility>

#include "codegen/target.h"
#include "dsl/error.h"

namespace normforge {

LoadedKernel::LoadedKernel(const Kernel &kernel) {
  if (!runs_here(find_target(kernel.target)))
    throw UserError("this machine does not run " + kernel.target + " code; choose " + std::string(host_target().name) + " or lower");
  internal_check(!kernel.image.empty());
  void *mapped = ::mmap(nullptr, kernel.image.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    throw UserError(std::string("cannot get memory for a kernel: ") + std::strerror(errno));
  code = {static_cast<char *>(mapped), Unmap{kernel.image.size()}};
  std::memcpy(code.get(), kernel.image.data(), kernel.image.size());
  if (::mprotect(code.get(), kernel.image.size(), PROT_READ | PROT_EXEC) != 0)
    throw UserError(std::string("cannot make a kernel's memory executable: ") + std::strerror(errno));
  for (const Step &step : kernel.steps) {
    internal_check(step.entry >= 0 && size_t(step.entry) < kernel.image.size());
    run.push_back({reinterpret_cast<nf_kernel_fn>(code.get() + step.entry), step.items});
  }
}

void LoadedKernel::Unmap::operator()(char *memory) const { ::munmap(memory, bytes); }

} // namespace normforge
