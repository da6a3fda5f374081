#include "codegen/target.h"

#include <gtest/gtest.h>

#include "dsl/error.h"

namespace normforge {
namespace {

TEST(Target, NamesAreFoundAndListsParsed) {
  for (const Target &target : targets())
    EXPECT_EQ(&find_target(target.name), &target);
  EXPECT_EQ(parse_targets("x86-64-v4,x86-64-v2").size(), 2u);
  EXPECT_TRUE(runs_here(host_target()));
}

TEST(Target, UnknownAndRepeatedNamesAreRefused) {
  EXPECT_THROW(find_target("x86-64-v5"), UserError);
  EXPECT_THROW(parse_targets(""), UserError);
  EXPECT_THROW(parse_targets("x86-64-v2,"), UserError);
  EXPECT_THROW(parse_targets("x86-64-v2,x86-64-v2"), UserError);
  try {
    find_target("x86_64-v3");
  } catch (const UserError &error) {
    EXPECT_STREQ(error.what(), "unknown target 'x86_64-v3'; did you mean 'x86-64-v3'? (there are: x86-64-v2, x86-64-v3, x86-64-v4, "
                               "sm_80, sm_86, sm_89, sm_90)");
  }
}

} // namespace
} // namespace normforge
