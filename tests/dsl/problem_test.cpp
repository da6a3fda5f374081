#include "dsl/problem.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "dsl/error.h"

namespace normforge {
namespace {

std::string error_of(std::string_view line) {
  try {
    parse_problem(line, "p:1");
  } catch (const UserError &error) {
    return error.what();
  }
  return "no error";
}

std::string again(std::string_view line) { return to_text(parse_problem(line)); }

TEST(Problem, DefaultsFollowTheFirstInput) {
  const Problem p = parse_problem("batch_norm_train x=bf16");
  std::string dtypes;
  for (size_t i = 0; i < p.dtypes.size(); ++i)
    dtypes += p.norm->program.tensors[i].name + "=" + std::string(p.dtypes[i] ? name(*p.dtypes[i]) : "none") + " ";
  EXPECT_EQ(dtypes, "x=bf16 gamma=bf16 beta=bf16 running_mean=f32 running_var=f32 y=bf16 mean=f32 rstd=f32 ");
  const Problem wide = parse_problem("rms_norm_quant x=f64");
  EXPECT_EQ(wide.dtypes, (std::vector<std::optional<DType>>{DType::f64, DType::f64, DType::i8, DType::f64}));
  EXPECT_EQ(parse_problem("softmax_ragged x=f16").dtypes[1], DType::i32);
  EXPECT_EQ(parse_problem("layer_norm"), default_problem(find_norm("layer_norm")));
}

TEST(Problem, CanonicalTextSaysWhatIsNotDefaultInOneOrder) {
  EXPECT_EQ(again("layer_norm y=f32 outputs=y   beta=none x=bf16 cols=768 gamma=f32 rows=1..8192"),
            "layer_norm rows=1..8192 cols=768 x=bf16 gamma=f32 beta=none y=f32 outputs=y");
  EXPECT_EQ(again("layer_norm rows=0.. cols=10x10x32 x=f32 y=f32 outputs=y,rstd,mean order=rows,cols strides=x:dense"),
            "layer_norm cols=3200");
  EXPECT_EQ(again("group_norm channel=64 group=8 order=batch,space,channel strides=y:any,x:rows,gamma:any"),
            "group_norm group=8 sub=8 order=batch,space,group,sub strides=x:rows,gamma:any,y:any");
  EXPECT_EQ(again("group_norm channel=64 group=8 sub=8"), "group_norm group=8 sub=8");
  EXPECT_EQ(again("add_rms_norm cols=4.. inplace=sum:residual,y:x"), "add_rms_norm cols=4.. inplace=y:x,sum:residual");
  EXPECT_EQ(again("batch_norm_train outputs=none"), "batch_norm_train outputs=none");
}

TEST(Problem, EveryNormsTextRoundTrips) {
  for (const NormRef &norm : catalogue())
    for (const char *first : {"f64", "f32", "bf16", "f16"}) {
      Problem p = parse_problem(norm->program.name + " " + norm->program.tensors[0].name + "=" + first);
      EXPECT_EQ(parse_problem(to_text(p)), p) << to_text(p);
      for (size_t axis = 0; axis < p.extents.size(); ++axis)
        p.extents[axis] = axis % 2 ? Extent{int64_t(axis), 100} : Extent{7, 7};
      std::ranges::reverse(p.order);
      p.layouts.back() = Layout::rows;
      EXPECT_EQ(parse_problem(to_text(p)), p) << to_text(p);
    }
}

TEST(Problem, ErrorsNameTheWordAndTheRemedy) {
  EXPECT_EQ(error_of("layer_nrm x=f32"),
            "p:1: unknown norm 'layer_nrm'; did you mean 'layer_norm'? (expected a built-in norm, or a path to a .norm file)");
  EXPECT_EQ(error_of("layer_norm col=768"), "p:1: 'layer_norm' has no axis or tensor 'col'; did you mean 'cols'?");
  EXPECT_EQ(error_of("layer_norm eps=1"),
            "p:1: 'eps' is a scalar of 'layer_norm': its value is given with each call and is no part of a problem");
  EXPECT_EQ(error_of("layer_norm cols"), "p:1: expected key=value, found 'cols'");
  EXPECT_EQ(error_of("layer_norm cols=1 cols=2"), "p:1: 'cols' is said twice");
  EXPECT_EQ(error_of("layer_norm x=i8"), "p:1: 'x' cannot be i8 (expected one of: f64, f32, bf16, f16)");
  EXPECT_EQ(error_of("layer_norm x=bf6"), "p:1: 'x': unknown dtype 'bf6'; did you mean 'bf16'?");
  EXPECT_EQ(error_of("layer_norm x=none"), "p:1: 'x' has no default: it cannot be none");
  EXPECT_EQ(error_of("softmax_ragged length=f32"), "p:1: 'length' cannot be f32 (expected one of: i32)");
  EXPECT_EQ(error_of("layer_norm rows=9223372036854775808"), "p:1: 'rows': the extent '9223372036854775808' does not fit 63 bits");
  EXPECT_EQ(error_of("layer_norm rows=-1"), "p:1: 'rows': the extent '-1' is negative");
  EXPECT_EQ(error_of("layer_norm rows=5..4"), "p:1: 'rows': the range '5..4' is empty");
  EXPECT_EQ(error_of("layer_norm rows=5x"), "p:1: 'rows': expected an extent (768, 1..8192, 1.. or, for a pack, 10x10x32), found ''");
  EXPECT_EQ(error_of("batch_norm_infer batch=2x2"), "p:1: 'batch' is one axis, and '2x2' lists several: expected one extent");
  EXPECT_EQ(error_of("layer_norm cols=4294967296x4294967296"), "p:1: 'cols': 4294967296 x 4294967296 does not fit 63 bits");
  EXPECT_EQ(error_of("layer_norm rows=4294967296 cols=4294967296"),
            "p:1: the bytes of a tensor over all axes: 34359738368 x 4294967296 does not fit 63 bits");
  EXPECT_EQ(error_of("group_norm channel=64 group=7"), "p:1: 'channel' is 64, which is not divisible by 7: no extent of 'sub' fits");
  EXPECT_EQ(error_of("group_norm channel=64 group=8 sub=4"), "p:1: 'channel' is 64, and its parts group * sub make 32");
  EXPECT_EQ(error_of("group_norm channel=64"), "p:1: 'channel' is split into group * sub: say all parts but one, each fixed");
  EXPECT_EQ(error_of("group_norm channel=1..64 group=8"), "p:1: 'channel' is split into group * sub: a range is said of the parts");
  EXPECT_EQ(error_of("layer_norm order=cols"), "p:1: order: the axis 'rows' is missing: expected all of rows, cols");
  EXPECT_EQ(error_of("layer_norm order=cols,cols"), "p:1: order: 'cols' is named twice");
  EXPECT_EQ(error_of("layer_norm order=cols,rws"), "p:1: order: unknown axis 'rws'; did you mean 'rows'?");
  EXPECT_EQ(error_of("layer_norm outputs=x"), "p:1: outputs: 'x' is no output");
  EXPECT_EQ(error_of("layer_norm outputs=none"), "p:1: outputs=none leaves nothing to compute: expected the names of outputs");
  EXPECT_EQ(error_of("layer_norm strides=x:row"), "p:1: strides: expected dense, rows or any for 'x', found 'row'");
  EXPECT_EQ(error_of("layer_norm inplace=y"), "p:1: inplace: expected OUTPUT:INPUT, found 'y'");
  EXPECT_EQ(error_of("layer_norm inplace=y:x y=bf16"), "p:1: inplace: 'y' in place of 'x': their dtypes differ in width (bf16, f32)");
  EXPECT_EQ(error_of("layer_norm inplace=y:gamma"), "p:1: inplace: 'y' in place of 'gamma': their axes differ");
  EXPECT_EQ(error_of("layer_norm inplace=mean:x"), "p:1: inplace: 'mean' in place of 'x': their axes differ");
}

TEST(Problem, AFileReportsEveryBadLine) {
  const auto problems = parse_problems("# two of them\n\nlayer_norm cols=768 # here\r\n  softmax x=bf16\n", "f");
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(to_text(problems[1]), "softmax x=bf16");
  try {
    parse_problems("softmax\nsoftmax cosl=1\nsofmax\n", "dir/list");
    FAIL();
  } catch (const UserError &error) {
    EXPECT_EQ(std::string(error.what()),
              "dir/list:2: 'softmax' has no axis or tensor 'cosl'; did you mean 'cols'?\n"
              "dir/list:3: unknown norm 'sofmax'; did you mean 'softmax'? (expected a built-in norm, or a path to a "
              ".norm file)");
  }
}

// A norm of one's own: the path is as written, and starts where the problem file is.
TEST(Problem, NormsFromFilesKeepTheirPath) {
  const std::filesystem::path directory =
      std::filesystem::path(testing::TempDir()) / ("normforge_problem_test_" + std::to_string(getpid()));
  std::filesystem::create_directories(directory / "norms");
  std::ofstream(directory / "norms/own.norm") << "norm scale_norm(x[rows..., cols...]; g = 1) -> y[rows..., cols...] {\n"
                                                 "  y = x * (g / sqrt(sum(x^2, cols)))\n}\n"
                                                 "norm dyt(x[rows..., cols...], gamma[cols...] = 1; alpha = 0.5) -> y[rows..., cols...] {\n"
                                                 "  y = tanh(alpha * x) * gamma\n}\n";
  const std::string file = (directory / "list.problems").string();
  const auto problems = parse_problems("norms/own.norm:dyt cols=8 gamma=none\nnorms/own.norm:scale_norm x=f16\n", file);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(to_text(problems[0]), "norms/own.norm:dyt cols=8 gamma=none");
  EXPECT_EQ(parse_problem(to_text(problems[1]), "again", directory.string()), problems[1]);
  EXPECT_EQ(error_of((directory / "norms/own.norm").string()).substr(0, 5), "p:1: ");
  try {
    parse_problems("norms/own.norm\nnorms/own.norm:dty\nnorms/none.norm", file);
    FAIL();
  } catch (const UserError &error) {
    EXPECT_EQ(std::string(error.what()),
              file + ":1: norms/own.norm: holds several norms (scale_norm, dyt); expected norms/own.norm:NAME\n" + file +
                  ":2: norms/own.norm: no norm 'dty'; did you mean 'dyt'? (it holds scale_norm, dyt)\n" + file +
                  ":3: norms/none.norm: cannot be read; expected a .norm file, or the name of a built-in norm");
  }
  std::filesystem::remove_all(directory);
}

} // namespace
} // namespace normforge
