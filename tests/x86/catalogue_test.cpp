// Every norm of the catalogue on every level that this machine runs, against the reference evaluator: inner, outer and mixed reductions,
// each with extents that are empty, single, and one more or less than a vector.
#include <gtest/gtest.h>

#include "tests/x86/harness.h"

namespace normforge::testing {
namespace {

struct Row {
  std::string problem;
  std::vector<std::vector<int64_t>> extents;
  std::string schedule = {};
};

const std::vector<std::vector<int64_t>> kRows = {{0, 5},  {1, 1},   {3, 31},  {5, 32},   {4, 33},   {2, 63},
                                                 {2, 65}, {3, 127}, {2, 768}, {1, 1023}, {2, 1025}, {1, 4099}};
const std::vector<std::vector<int64_t>> kPlanes = {{2, 1, 1}, {2, 3, 5}, {3, 7, 33}, {2, 65, 31}, {5, 64, 20}, {2, 40, 1030}, {33, 3, 64}};

const std::vector<Row> kTable = {
    {"layer_norm", kRows},
    {"layer_norm gamma=none beta=none outputs=y", kRows},
    {"layer_norm order=cols,rows", kRows},
    {"layer_norm x=bf16 gamma=f32 beta=f32", kRows},
    {"layer_norm x=f16 gamma=f32 beta=f32 y=f32", kRows},
    {"layer_norm x=f64", kRows},
    {"layer_norm_std", kRows},
    {"layer_norm_monitored", kRows},
    {"layer_norm_monitored x=bf16", kRows},
    {"layer_norm_channels", kPlanes},
    {"layer_norm_channels order=batch,space,channel", kPlanes},
    {"layer_norm_quant", kRows},
    {"layer_norm_ragged", kRows},
    {"rms_norm", kRows},
    {"rms_norm_gemma", kRows},
    {"rms_norm_gated", kRows},
    {"rms_norm_quant", kRows},
    {"add_layer_norm", kRows},
    {"add_layer_norm x=bf16", kRows},
    {"add_rms_norm", kRows},
    {"l1_normalize", kRows},
    {"l2_normalize", kRows},
    {"softmax", kRows},
    {"softmax order=cols,rows", kRows},
    {"softmax x=bf16", kRows},
    {"softmax_ragged", kRows},
    {"log_softmax", kRows},
    {"batch_norm_infer", kPlanes},
    {"batch_norm_infer order=batch,space,channel", kPlanes},
    {"batch_norm_train", kPlanes},
    {"batch_norm_train order=batch,space,channel", kPlanes},
    {"batch_norm_ragged", kPlanes},
    {"batch_norm_ragged order=batch,channel,seq", kPlanes},
    {"batch_norm_ragged order=seq,batch,channel", kPlanes},
    {"layer_norm strides=x:rows,y:any", kRows},
    {"layer_norm strides=x:any,gamma:any order=cols,rows", kRows},
    {"group_norm strides=x:rows,y:rows", {{2, 3, 4, 5}, {1, 2, 33, 65}}},
    {"batch_norm_train strides=x:any,y:any", kPlanes},
    {"instance_norm", kPlanes},
    {"instance_norm order=batch,space,channel", kPlanes},
    {"mean_variance_norm", kPlanes},
    {"mean_variance_norm order=batch,space,channel", kPlanes},
    {"moments", kPlanes},
    {"moments order=batch,space,channel", kPlanes},
    {"group_norm", {{2, 3, 4, 5}, {1, 2, 33, 65}, {2, 2, 3, 1030}, {1, 1, 1, 1}}},
    {"group_norm order=batch,space,group,sub", {{2, 3, 4, 5}, {1, 2, 33, 65}, {2, 2, 8, 300}}},
    {"moments_merge", {{1}, {31}, {65}}},
    {"layer_norm", kRows, "chunked"},
    {"layer_norm order=cols,rows", kRows, "chunked"},
    {"layer_norm x=bf16 gamma=f32 beta=f32", kRows, "chunked chunk=128"},
    {"layer_norm x=f64", kRows, "chunked chunk=256"},
    {"layer_norm_std", kRows, "chunked chunk=128"},
    {"layer_norm_monitored", kRows, "chunked chunk=128"},
    {"layer_norm_ragged", kRows, "chunked chunk=128"},
    {"add_layer_norm x=f16", kRows, "chunked chunk=128 fold=low"},
    {"layer_norm_channels order=batch,space,channel", kPlanes, "chunked"},
    {"batch_norm_train", kPlanes, "chunked"},
    {"batch_norm_train order=batch,space,channel", kPlanes, "chunked"},
    {"batch_norm_ragged", kPlanes, "chunked"},
    {"batch_norm_ragged order=batch,channel,seq", kPlanes, "chunked"},
    {"batch_norm_ragged order=seq,batch,channel", kPlanes, "chunked"},
    {"batch_norm_train strides=x:any,y:any", kPlanes, "chunked chunk=128"},
    {"mean_variance_norm order=batch,space,channel", kPlanes, "chunked"},
    {"moments", kPlanes, "chunked"},
    {"group_norm", {{2, 3, 4, 5}, {1, 2, 33, 65}, {2, 2, 3, 1030}, {1, 1, 1, 1}}, "chunked"},
};

class Catalogue : public ::testing::TestWithParam<std::string> {};

TEST_P(Catalogue, MatchesTheReference) {
  for (const Row &row : kTable)
    for (const auto &extents : row.extents) {
      std::string shape;
      for (int64_t extent : extents)
        shape += " " + std::to_string(extent);
      SCOPED_TRACE(row.problem + " at" + shape + " by " + row.schedule);
      try {
        EXPECT_LE(
            deviation(
                {.problem = row.problem, .extents = extents, .schedule = row.schedule, .target = GetParam(), .options = {.padding = 3}}),
            1);
      } catch (const std::exception &error) {
        ADD_FAILURE() << error.what();
      }
    }
}

INSTANTIATE_TEST_SUITE_P(Levels, Catalogue, ::testing::ValuesIn(runnable_targets()),
                         [](const auto &info) { return "v" + info.param.substr(8); });

} // namespace
} // namespace normforge::testing
