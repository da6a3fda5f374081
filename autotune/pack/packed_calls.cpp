#include "autotune/pack/packed_calls.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <string>

#include "autotune/pack/packed_problem.h"
#include "codegen/gpu_call.h"
#include "dsl/error.h"

namespace {

using namespace normforge;

thread_local std::string last_error;

struct Opened {
  size_t tensors;
  GpuCall call;
};

/// What `work` returns, or `otherwise` where it throws.
template <class Work, class Result> Result caught(Result otherwise, const Work &work) {
  try {
    return work();
  } catch (const std::exception &error) {
    last_error = error.what();
    return otherwise;
  }
}

Opened *open(const std::string &path, std::string_view schedule, const int64_t *extents, const double *scalars, const uint64_t *addresses) {
  const PackedProblem packed = read_packed_problem(path);
  const auto found = std::ranges::find(packed.candidates, schedule, [](const PackedCandidate &it) { return it.kernel.schedule; });
  if (found == packed.candidates.end())
    throw UserError(path + ": it has no kernel of the schedule '" + std::string(schedule) + "'; choose among its own");
  const Program &program = packed.problem.norm->program;
  auto opened = std::make_unique<Opened>(program.tensors.size(), GpuCall(packed.problem, find_target(packed.target), found->kernel, 0));
  opened->call.place({extents, extents + program.axes.size()}, {addresses, addresses + program.tensors.size()}, {},
                     {scalars, scalars + program.scalars.size()});
  return opened.release();
}

} // namespace

extern "C" void *normforge_packed_open(const char *problem, const char *schedule, const int64_t *extents, const double *scalars,
                                       const uint64_t *addresses) {
  return caught(static_cast<void *>(nullptr), [&]() -> void * { return open(problem, schedule, extents, scalars, addresses); });
}

extern "C" int normforge_packed_call(void *opened, const uint64_t *addresses, void *stream) {
  return caught(1, [&] {
    Opened &kernel = *static_cast<Opened *>(opened);
    kernel.call.move({addresses, addresses + kernel.tensors});
    kernel.call.enqueue(stream);
    return 0;
  });
}

extern "C" void normforge_packed_close(void *opened) { delete static_cast<Opened *>(opened); }

extern "C" const char *normforge_packed_error() { return last_error.c_str(); }
