#include "bench/compile_times.h"

#include <chrono>

#include "bench/generated.h"
#include "bench/harness.h"

namespace bench {

using namespace normforge;

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
    const auto start = std::chrono::steady_clock::now();
    const SweepPlan plan = make_sweep_plan(problem);
    backend.compile(plan, backend.default_schedule(plan, target), target, "kernel");
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    if (seconds.back() > times.max) {
      times.max = seconds.back();
      times.slowest = to_text(problem);
    }
  }
  times.median = median(seconds);
  return times;
}

} // namespace bench
