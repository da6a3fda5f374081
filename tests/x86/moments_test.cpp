// Statistics that are merged from chunks, against formulas written out here in a wider type: rows whose chunks differ in mean and in
// spread, whose last chunk fills some lanes only, and whose pivot is no typical value.
#include <algorithm>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "tests/x86/harness.h"

namespace normforge::testing {
namespace {

struct Moments {
  double mean = 0, m2 = 0;
};

Moments exact(const std::vector<double> &x) {
  long double sum = 0, squares = 0;
  for (double v : x)
    sum += v;
  const long double mean = sum / (long double)(x.size());
  for (double v : x)
    squares += (v - mean) * (v - mean);
  return {double(mean), double(squares)};
}

class MomentsKernel {
public:
  MomentsKernel(const std::string &problem_text, const std::string &schedule_text)
      : problem(parse_problem(problem_text)), kernel(compile(problem, schedule_text)), loaded(kernel) {}

  Moments operator()(const std::vector<double> &x) const {
    const std::vector<int64_t> extents{1, 1, int64_t(x.size())};
    ReferenceInputs inputs = make_inputs(problem, extents, {});
    inputs.tensors["x"].values = x;
    KernelCall call(problem, extents, inputs);
    call.run(kernel, loaded);
    EXPECT_EQ(call.value("count", 0), double(x.size()));
    return {call.value("mean", 0), call.value("m2", 0)};
  }

private:
  static Kernel compile(const Problem &problem, const std::string &schedule) {
    const Target &target = host_target();
    const Backend &backend = backend_for(target);
    const SweepPlan plan = make_sweep_plan(problem);
    return backend.compile(plan, parse_schedule(schedule, backend.knobs(), backend.default_schedule(plan, target)), target, "kernel");
  }

  Problem problem;
  Kernel kernel;
  LoadedKernel loaded;
};

std::vector<double> row(const std::string &kind, int64_t count) {
  std::mt19937_64 random(17);
  std::normal_distribution<double> normal;
  std::vector<double> x;
  for (int64_t i = 0; i < count; ++i) {
    const double each = normal(random);
    x.push_back(double(float(kind == "plain"     ? each
                             : kind == "far"     ? 1e6 + each
                             : kind == "drifts"  ? double(i) + each
                             : kind == "steps"   ? 100 * double(i / 128) + each
                             : kind == "lanes"   ? 100 * double(i % 32) + each
                             : kind == "outlier" ? (i == 0 ? 1000 : each)
                                                 : each * std::exp2(double(i / 128 % 20)))));
  }
  return x;
}

TEST(Moments, OfChunksMergeToThoseOfTheRow) {
  for (const std::string problem : {"moments x=f32", "moments x=f32 order=batch,space,channel", "moments x=f64"})
    for (const std::string schedule : {"chunked chunk=128", "chunked chunk=1024 fold=low"}) {
      const MomentsKernel kernel(problem, schedule);
      const double relative = problem == "moments x=f64" ? 1e-14 : 2e-6;
      for (const char *kind : {"plain", "far", "drifts", "steps", "lanes", "outlier", "spreads"})
        for (const int64_t count : {1, 2, 31, 33, 127, 128, 129, 300, 1000, 4096, 5001, 70000}) {
          const std::vector<double> x = row(kind, count);
          const Moments want = exact(x), got = kernel(x);
          const std::string what = problem + " " + schedule + " " + kind + " " + std::to_string(count);
          double apart = 0; // values are first taken about the first one
          for (double v : x)
            apart = std::max(apart, std::fabs(v - x[0]));
          EXPECT_NEAR(got.mean, want.mean, relative * (std::fabs(want.mean) + apart)) << what;
          EXPECT_NEAR(got.m2, want.m2, 10 * relative * want.m2) << what;
        }
    }
}

} // namespace
} // namespace normforge::testing
