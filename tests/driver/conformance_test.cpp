// Every norm on GPU 0, through the driver that the machine has, against the f64 reference, and schedules of one numerics half against each
// other bit for bit. Where NORMFORGE_STAND_IN_KERNELS names a file, kernels are announced there for the stand-in driver; on a machine with
// a GPU the same test runs on that.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>

#include "codegen/check/sample_inputs.h"
#include "codegen/check/tolerance.h"
#include "codegen/gpu_call.h"
#include "dsl/conditions.h"
#include "dsl/error.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/schedules.h"

namespace normforge::testing {
namespace {

const bool kLong = std::getenv("NORMFORGE_LONG") != nullptr;

/// In the short run some, each with another shape and mix than the one before it. With an extent of 0 a call writes nothing.
std::vector<CatalogueCase> cases() {
  std::vector<CatalogueCase> chosen = catalogue_cases([](const Shape &shape, const Mix &mix, size_t picked) {
    return &shape == &shapes()[picked % shapes().size()] && &mix == &mixes()[picked % mixes().size()];
  });
  size_t number = 0;
  std::erase_if(chosen, [&](const CatalogueCase &one) {
    const std::vector<int64_t> extents = one.shape->of(*one.norm);
    return std::ranges::find(extents, 0) != extents.end() || (!kLong && number++ % 4 != 0);
  });
  return chosen;
}

/// A call's tensors in this process's memory, packed.
struct HostCall {
  HostCall(const Problem &problem, const std::vector<int64_t> &extents, const ReferenceInputs &inputs) : problem(problem) {
    const Program &program = problem.norm->program;
    for (size_t t = 0; t < program.tensors.size(); ++t) {
      const Tensor &tensor = program.tensors[t];
      size_t count = 1;
      for (int axis : tensor.axes)
        count *= size_t(extents[size_t(axis)]);
      data.emplace_back(present(problem, int(t)) ? count * size_t(info(*problem.dtypes[t]).bytes) : 0, '\xff');
      if (const auto given = inputs.tensors.find(tensor.name); given != inputs.tensors.end())
        for (size_t i = 0; i < count; ++i)
          store_element(*problem.dtypes[t], data[t].data(), i, given->second.values[i]);
    }
    for (size_t t = 0; t < data.size(); ++t)
      tensors.push_back(present(problem, int(t)) ? data[t].data() : nullptr);
  }

  void expect_near(const std::map<std::string, ReferenceArray> &reference) const {
    for (const auto &[name, want] : reference) {
      const size_t t = size_t(problem.norm->program.tensor_named(name));
      const Tolerance allowed = tolerance(problem, *problem.dtypes[t]);
      for (size_t i = 0; i < want.values.size(); ++i) {
        const double got = load_element(*problem.dtypes[t], data[t].data(), i);
        ASSERT_TRUE(allowed.accepts(got, want.values[i])) << name << "[" << i << "]: " << got << ", reference " << want.values[i];
      }
    }
  }

  Problem problem;
  std::vector<std::string> data; ///< by tensor
  std::vector<void *> tensors;
};

/// Adds a line to the stand-in's kernels, of which the first of this process begins a new file.
void announce(const std::string &line) {
  static std::ofstream file;
  if (const char *path = std::getenv("NORMFORGE_STAND_IN_KERNELS")) {
    if (!file.is_open())
      file.open(path);
    file << line << std::flush;
  }
}

class DeviceConformance : public ::testing::TestWithParam<CatalogueCase> {};

TEST_P(DeviceConformance, AgreesWithTheReferenceBySeveralSchedules) {
  const auto &[norm, shape, mix] = GetParam();
  const std::vector<int64_t> extents = shape->of(*norm);
  const Problem problem = fixed(problem_of(norm, *mix), extents);
  const ReferenceInputs inputs = make_inputs(problem, extents, {.seed = 7, .mean = 0.5});
  const auto reference = expected(problem, extents, inputs);
  if (!reference)
    return;
  const Target &target = gpu_target(0);
  const Backend &backend = backend_for(target);
  const SweepPlan plan = make_sweep_plan(problem);
  std::map<Numerics::Algorithm, std::vector<std::string>> first; // results
  for (const Schedule &schedule : sample_schedules(backend, plan, target, kLong ? 8 : 2, std::hash<std::string>()(norm->program.name))) {
    const std::string text = to_text(schedule, backend.knobs());
    SCOPED_TRACE(to_text(problem) + " / " + text);
    announce(std::string(target.name) + '\t' + to_text(problem) + '\t' + text + '\n');
    HostCall host(problem, extents, inputs);
    GpuCall call(plan, schedule, target, 0);
    call.bind(extents, host.tensors, scalar_values(norm->program, {}));
    call.run();
    const auto [same, fresh] = first.emplace(schedule.numerics.algorithm, host.data);
    if (fresh)
      host.expect_near(*reference);
    EXPECT_TRUE(same->second == host.data) << "bits differ";
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, DeviceConformance, ::testing::ValuesIn(cases()), [](const auto &info) {
  return info.param.norm->program.name + "_" + info.param.shape->label + "_" + info.param.mix->label;
});

} // namespace
} // namespace normforge::testing
