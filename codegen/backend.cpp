#include "codegen/backend.h"

#include "codegen/x86/backend.h"
#include "dsl/error.h"

namespace normforge {

std::span<const Backend *const> backends() {
  static const x86::X86Backend x86;
  static const Backend *const all[] = {&x86};
  return all;
}

const Backend &backend_for(const Target &target) {
  for (const Backend *backend : backends())
    if (backend->name() == target.backend)
      return *backend;
  throw InternalError("target " + std::string(target.name) + " has no backend");
}

} // namespace normforge
