// Which schedules a search may try, and at which shapes.
#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "autotune/shapes.h"
#include "autotune/space.h"
#include "codegen/package/selection.h"

namespace normforge::testing {
namespace {

struct Place {
  explicit Place(const std::string &text, bool numerics = false, const Target &target = host_target())
      : plan(make_sweep_plan(parse_problem(text))), space(space_of(plan, target, backend_for(target), numerics)) {}
  SweepPlan plan;
  Space space;
};

int differences(const Schedule &a, const Schedule &b) {
  int count = !(a.numerics == b.numerics);
  for (size_t i = 0; i < a.mapping.values.size(); ++i)
    count += a.mapping.values[i] != b.mapping.values[i];
  return count;
}

TEST(Space, NeighboursDifferInFewKnobsAndCanServe) {
  for (const char *text : {"layer_norm rows=64 cols=768", "softmax", "batch_norm_train batch=8 channel=64 space=100", "group_norm"}) {
    const Place place(text);
    const std::vector<Schedule> near = neighbours(place.space, place.space.start);
    EXPECT_GE(near.size(), 4u) << text;
    for (const Schedule &schedule : near) {
      EXPECT_GE(differences(schedule, place.space.start), 1);
      EXPECT_LE(differences(schedule, place.space.start), 2);
      EXPECT_EQ(schedule.numerics, place.space.start.numerics);
      EXPECT_EQ(place.space.backend.inapplicable(place.plan, schedule, host_target()), std::nullopt);
    }
  }
}

/// Registers hold few rows at once, so that neither change serves alone on the way from many rows.
TEST(Space, AChangeThatNeedsAnotherTakesItAlong) {
  const Place place("add_rms_norm rows=64 cols=256 outputs=y,sum");
  const std::span<const Knob> knobs = place.space.backend.knobs();
  const Schedule many = parse_schedule("rows=8 keep=reread", knobs, place.space.start);
  const Schedule direct = parse_schedule("rows=8 keep=registers", knobs, place.space.start);
  ASSERT_NE(place.space.backend.inapplicable(place.plan, direct, host_target()), std::nullopt);
  const std::vector<Schedule> near = neighbours(place.space, many);
  EXPECT_TRUE(std::ranges::any_of(
      near, [&](const Schedule &schedule) { return to_text(schedule, knobs).find("keep=registers") != std::string::npos; }));
}

/// One step from the defaults of these problems; for some, no other step leads from there to any schedule that serves.
TEST(Space, EachValueOfEachKnobIsAStepAwaySomewhere) {
  const Target &gpu = find_target("sm_90");
  std::set<std::pair<size_t, int64_t>> reached;
  for (const char *text :
       {"rms_norm rows=8192 cols=4096 x=bf16 gamma=bf16 outputs=y", "softmax rows=64 cols=262144", "layer_norm rows=8192 cols=256 x=f32",
        "softmax rows=65536 cols=4", "rms_norm_quant rows=64 cols=100", "layer_norm x=bf16",
        "layer_norm rows=4096 cols=768 order=cols,rows", "l1_normalize rows=4096 cols=768 order=cols,rows"}) {
    const Place place(text, false, gpu);
    for (const Schedule &schedule : neighbours(place.space, place.space.start))
      for (size_t knob = 0; knob < schedule.mapping.values.size(); ++knob)
        reached.emplace(knob, schedule.mapping.values[knob]);
  }
  const std::span<const Knob> knobs = backend_for(gpu).knobs();
  for (size_t knob = 0; knob < knobs.size(); ++knob)
    for (int64_t value : knobs[knob].values)
      EXPECT_TRUE(reached.contains({knob, value})) << to_text(knobs[knob], value);
}

TEST(Space, NumericsOpenOnlyWhenAsked) {
  const Place open("layer_norm rows=64 cols=768", true);
  const std::vector<Schedule> near = neighbours(open.space, open.space.start);
  EXPECT_TRUE(std::ranges::any_of(near, [&](const Schedule &schedule) { return !(schedule.numerics == open.space.start.numerics); }));
}

/// Threads of a GPU that are no power of two share a row that goes over the lanes once; of longer rows they want other lanes.
TEST(Space, ThreadsThatAreNoPowerOfTwoAreReached) {
  const Target &gpu = find_target("sm_90");
  const auto reached = [&](const std::string &problem, bool numerics, const std::string &wanted) {
    const Place place(problem, numerics, gpu);
    return std::ranges::any_of(neighbours(place.space, place.space.start), [&](const Schedule &schedule) {
      return to_text(schedule, place.space.backend.knobs()).find(wanted) != std::string::npos;
    });
  };
  EXPECT_TRUE(reached("layer_norm rows=1 cols=180 x=f32", false, "| threads=96 "));
  EXPECT_FALSE(reached("layer_norm rows=8192 cols=1536 x=bf16", false, "| threads=96 "));
  EXPECT_TRUE(reached("layer_norm rows=8192 cols=1536 x=bf16", true, "lanes=2048 chunk=256K fold=low fma=off | threads=96 "));
  EXPECT_TRUE(reached("rms_norm rows=8192 cols=5120 x=bf16", true, "lanes=8192 chunk=256K fold=low fma=off | threads=160 "));
}

TEST(Space, TheWholeProductHasEveryNeighbourOnce) {
  const Place place("layer_norm rows=1 cols=64");
  const std::vector<Schedule> all = all_schedules(place.space);
  EXPECT_EQ(all.front(), place.space.start);
  for (const Schedule &schedule : neighbours(place.space, place.space.start))
    EXPECT_EQ(std::ranges::count(all, schedule), 1);
}

TEST(Space, TheNumericsAreThoseOfTheLibrary) {
  for (const char *text : {"layer_norm cols=8", "softmax cols=5 x=bf16"}) {
    const Place place(text);
    EXPECT_EQ(place.space.start.numerics, pinned_numerics(place.plan.problem, host_target())) << text;
  }
}

std::vector<std::string> shapes_of(const std::string &text) {
  std::vector<std::string> texts;
  for (const Problem &shape : measured_shapes(parse_problem(text)))
    texts.push_back(to_text(shape));
  return texts;
}

TEST(Shapes, FixedExtentsAreOneShape) { EXPECT_EQ(shapes_of("softmax rows=7 cols=3"), std::vector<std::string>{"softmax rows=7 cols=3"}); }

TEST(Shapes, ALadderOverTheRange) {
  const std::vector<std::string> want{"softmax rows=1 cols=64", "softmax rows=8 cols=64", "softmax rows=64 cols=64",
                                      "softmax rows=512 cols=64", "softmax rows=1000 cols=64"};
  EXPECT_EQ(shapes_of("softmax rows=1..1000 cols=64"), (std::vector<std::string>{want[0], want[1], want[2], want[4]}));
  EXPECT_EQ(shapes_of("softmax rows=0..1024 cols=64").back(), "softmax rows=1024 cols=64");
  EXPECT_EQ(shapes_of("softmax rows=100..200 cols=64"), (std::vector<std::string>{"softmax rows=100 cols=64", "softmax rows=200 cols=64"}));
}

TEST(Shapes, EveryShapeLiesWithinAndIsOfReasonableSize) {
  for (const NormRef &norm : catalogue()) {
    const Problem problem = default_problem(norm);
    for (const Problem &shape : measured_shapes(problem)) {
      EXPECT_LE(tensor_bytes(shape), 256 << 20) << to_text(shape);
      for (size_t axis = 0; axis < shape.extents.size(); ++axis) {
        EXPECT_TRUE(shape.extents[axis].fixed());
        EXPECT_TRUE(problem.extents[axis].contains(shape.extents[axis].lo));
      }
    }
  }
}

} // namespace
} // namespace normforge::testing
