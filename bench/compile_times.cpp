#include "bench/compile_times.h"

#include <ctime>

#include "codegen/backend.h"

#include "bench/generated.h"
#include "bench/harness.h"

namespace bench {

using namespace normforge;

namespace {

/// Seconds that this thread has run: compiling is one thread's work, and other load on the machine is none of it.
double thread_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

} // namespace

CompileTimes compile_times(const Target &target) {
  std::vector<Problem> problems;
  for (const NormRef &norm : catalogue())
    problems.push_back(default_problem(norm));
  for (hand::Norm norm : {hand::Norm::layer_norm, hand::Norm::rms_norm, hand::Norm::softmax})
    for (hand::Element element : {hand::Element::f32, hand::Element::bf16})
      for (Shape shape : kShapes)
        problems.push_back(parse_problem(problem_text(norm, element, shape)));

  CompileTimes times{std::string(target.name), problems.size(), 0, 0, {}};
  std::vector<double> seconds;
  const Backend &backend = backend_for(target);
  for (const Problem &problem : problems) {
    const double start = thread_seconds();
    const SweepPlan plan = make_sweep_plan(problem);
    backend.compile(plan, backend.default_schedule(plan, target), target, "kernel");
    seconds.push_back(thread_seconds() - start);
    if (seconds.back() > times.max) {
      times.max = seconds.back();
      times.slowest = to_text(problem);
    }
  }
  times.median = median(seconds);
  return times;
}

} // namespace bench
