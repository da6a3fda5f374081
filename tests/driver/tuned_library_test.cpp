// A tuned library on a GPU: other kernels serve other numbers of rows, and no threshold between them changes a bit.
#include <set>

#include "tests/driver/driver_test.h"

namespace normforge::testing {
namespace {

constexpr char kProblem[] = "layer_norm cols=96";
constexpr int64_t kMostRows = 12;

/// A stretch of rows, and how its schedule's mapping differs from the default's.
struct Stretch {
  const char *problem, *change;
  const char *target;
};
constexpr Stretch kStretches[] = {{"layer_norm rows=1..3 cols=96", "threads=32 rows=1 vector=4 keep=reread blocks=1", "sm_90"},
                                  {"layer_norm rows=4..9 cols=96", "threads=16 rows=2 vector=4 keep=shared blocks=1", "sm_90"},
                                  {"layer_norm rows=2..5 cols=96", "threads=16 rows=4 vector=8 keep=reread blocks=1", "sm_80"}};

std::string tuned_archive(bool same_bits) {
  const std::vector<const Target *> targets = parse_targets("x86-64-v3,sm_80,sm_90");
  LibraryOptions options{.name = kName, .targets = targets, .same_bits = same_bits};
  for (const Stretch &stretch : kStretches) {
    const Problem problem = parse_problem(stretch.problem);
    const Target &target = find_target(stretch.target);
    const Backend &backend = backend_for(target);
    const Numerics numerics = pinned_numerics(problem, same_bits ? *targets.front() : target);
    const Schedule base = default_schedule(backend, make_sweep_plan(problem), target, numerics);
    options.choices.push_back({problem, &target, parse_schedule(stretch.change, backend.knobs(), base)});
  }
  return make_library(parse_problems(std::string(kProblem) + "\n", "problems.txt"), options).files[0].bytes;
}

class TunedForGpus : public Driver, public ::testing::WithParamInterface<bool> {};

TEST_P(TunedForGpus, EveryRowHasTheSameBitsWhateverTheirNumber) {
  const bool same_bits = GetParam();
  const std::string bytes = tuned_archive(same_bits);
  for (const auto &[device, schedules] : {std::pair("90", 3u), std::pair("80", 2u)}) {
    const Setting devices("DEVICES", device);
    make_current();
    const LoadedLibrary library(kName, bytes);
    const DeviceFunction function(library, kLayerNorm);
    std::vector<std::string> most;
    std::set<std::string> served_by;
    for (int64_t rows = kMostRows; rows > 0; --rows) {
      Call host(parse_problem(kProblem), {rows, 96});
      const DeviceCall call(host);
      const nf_choice choice = announce(function, call);
      served_by.insert(choice.schedule);
      EXPECT_EQ(choice.origin == NF_TUNED, std::string(device) == "90" ? rows <= 9 : rows >= 2 && rows <= 5) << rows;
      ASSERT_EQ(function(call), NF_OK);
      const std::vector<std::string> results = call.results();
      if (most.empty())
        most = results;
      for (size_t t = 0; t < results.size(); ++t) // fewer rows are the first of more
        EXPECT_TRUE(most[t].starts_with(results[t])) << rows << " rows, tensor " << t;
      if (same_bits) {
        ASSERT_EQ(library.call(kLayerNorm, host.bytes.data()), NF_OK);
        EXPECT_TRUE(results == host.data) << rows;
      }
    }
    EXPECT_EQ(served_by.size(), schedules) << device;
  }
}

INSTANTIATE_TEST_SUITE_P(Driver, TunedForGpus, ::testing::Bool(),
                         [](const auto &info) { return info.param ? "BitsOfTheCpu" : "BitsOfItsOwn"; });

} // namespace
} // namespace normforge::testing
