#include "dsl/binding.h"

#include <gtest/gtest.h>

#include "dsl/error.h"

namespace normforge {
namespace {

using Arrays = std::map<std::string, ArrayShape>;
using Binds = std::map<std::string, std::string>;
using Dims = std::vector<int64_t>;

/// "rows=2x3 cols=4 | y=2x3x4 …": dims by axis, then the shapes of outputs.
std::string bound(const std::string &norm, const Arrays &arrays, const Binds &binds = {}) {
  const auto text = [](const Dims &dims) {
    std::string out;
    for (int64_t dim : dims)
      out += (out.empty() ? "" : "x") + std::to_string(dim);
    return out;
  };
  try {
    const Binding binding = bind(find_norm(norm), arrays, binds);
    const Program &program = binding.norm->program;
    std::string out;
    for (int axis : binding.order)
      out += program.axes[size_t(axis)].name + "=" + text(binding.dims[size_t(axis)]) + " ";
    out += "|";
    for (size_t i = 0; i < program.tensors.size(); ++i)
      if (program.tensors[i].role == Tensor::output)
        out += " " + program.tensors[i].name + "=" + text(binding.shape(int(i)));
    return out;
  } catch (const UserError &error) {
    return error.what();
  }
}

TEST(Binding, ParametersSplitPacks) {
  EXPECT_EQ(bound("layer_norm", {{"x", {{2, 3, 768}}}, {"gamma", {{768}}}}), "rows=2x3 cols=768 | y=2x3x768 mean=2x3 rstd=2x3");
  EXPECT_EQ(bound("layer_norm", {{"x", {{2, 10, 10, 32}}}, {"beta", {{10, 10, 32}}}}), "rows=2 cols=10x10x32 | y=2x10x10x32 mean=2 rstd=2");
  EXPECT_EQ(bound("layer_norm", {{"x", {{768}}}, {"gamma", {{768}}}}), "rows= cols=768 | y=768 mean= rstd=");
  EXPECT_EQ(bound("add_rms_norm", {{"x", {{2, 3, 4}}}, {"residual", {{2, 3, 4}}}}, {{"cols", "4"}}), "rows=2x3 cols=4 | y=2x3x4 sum=2x3x4");
  EXPECT_EQ(bound("add_rms_norm", {{"x", {{2, 3}}}, {"residual", {{2, 3}}}}), "rows=2 cols=3 | y=2x3 sum=2x3");
}

TEST(Binding, NothingIsGuessed) {
  EXPECT_EQ(bound("layer_norm", {{"x", {{2, 3, 4}}}}),
            "layer_norm: 'x' has the shape [2x3x4] and the axes [rows..., cols...]: where 'rows' and "
            "'cols' part is open; bind one (cols=4, or several dimensions as AxB)");
  EXPECT_EQ(bound("softmax", {{"x", {{4}}}}), "softmax: 'x' has the shape [4] and the axes [rows..., cols...]: where 'rows' and "
                                              "'cols' part is open; bind one (cols=4, or several dimensions as AxB)");
  EXPECT_EQ(bound("layer_norm", {{"x", {{2, 3, 4}}}}, {{"cols", "3x4"}}), "rows=2 cols=3x4 | y=2x3x4 mean=2 rstd=2");
  EXPECT_EQ(bound("layer_norm", {{"x", {{2, 3, 4}}}}, {{"rows", "2x3"}}), "rows=2x3 cols=4 | y=2x3x4 mean=2x3 rstd=2x3");
  EXPECT_EQ(bound("layer_norm", {{"x", {{2, 3}}}}), "rows=2 cols=3 | y=2x3 mean=2 rstd=2");
  EXPECT_EQ(bound("layer_norm", {{"x", {{2, 3}}}, {"gamma", {{}}}}),
            "layer_norm: 'gamma' has the shape [] and the axes [cols...]: expected at least 1 dimension");
}

TEST(Binding, MismatchesNameBothSides) {
  EXPECT_EQ(bound("layer_norm", {{"x", {{2, 3}}}, {"gamma", {{4}}}}), "layer_norm: 'cols' is 4 (from 'gamma') and 3 (from 'x')");
  EXPECT_EQ(bound("layer_norm", {{"x", {{2, 3}}}, {"gamma", {{3}}}, {"beta", {{4}}}}),
            "layer_norm: 'cols' is 3 (from 'gamma') and 4 (from 'beta')");
  EXPECT_EQ(bound("layer_norm", {{"x", {{3200}}}, {"gamma", {{10, 320}}}}),
            "layer_norm: 'x' has the shape [3200] and the axes [rows..., cols...]: expected at least 2 dimensions (cols is 10x320 from "
            "'gamma'), found 1");
  EXPECT_EQ(bound("layer_norm", {{"x", {{2, 10, 10}}}, {"gamma", {{10, 10}}}}, {{"cols", "100"}}),
            "layer_norm: 'cols' is 100 (bound) and 10x10 (from 'gamma')\nlayer_norm: 'cols' is 100 (bound) and 10 (from 'x')");
  EXPECT_EQ(bound("batch_norm_infer", {{"x", {{2}}}, {"mean", {{3}}}, {"var", {{4}}}}),
            "batch_norm_infer: 'channel' is 3 (from 'mean') and 4 (from 'var')\n"
            "batch_norm_infer: 'x' has the shape [2] and the axes [batch, channel, space...]: expected at least 2 dimensions, found 1");
}

TEST(Binding, SplitsAreSolvedFromWhatIsKnown) {
  EXPECT_EQ(bound("group_norm", {{"x", {{2, 64, 7, 7}}}}, {{"group", "8"}}),
            "batch=2 group=8 sub=8 space=7x7 | y=2x64x7x7 mean=2x8 rstd=2x8");
  EXPECT_EQ(bound("group_norm", {{"x", {{2, 64}}}, {"gamma", {{64}}}}, {{"sub", "4"}}),
            "batch=2 group=16 sub=4 space= | y=2x64 mean=2x16 rstd=2x16");
  EXPECT_EQ(bound("group_norm", {{"x", {{2, 64, 7}}}}), "group_norm: the extent of 'group' is open: bind it (group=…)\n"
                                                        "group_norm: the extent of 'sub' is open: bind it (sub=…)");
  EXPECT_EQ(bound("group_norm", {{"x", {{2, 64, 7}}}}, {{"group", "7"}}),
            "group_norm: 'channel' is 64 (from 'x'), which is not divisible by 7");
  EXPECT_EQ(bound("group_norm", {{"x", {{2, 64, 7}}}}, {{"group", "8"}, {"sub", "4"}}),
            "group_norm: 'channel' is 32 (the product of its parts) and 64 (from 'x')");
  EXPECT_EQ(bound("group_norm", {{"x", {{2, 64, 7}}}}, {{"group", "0"}}),
            "group_norm: 'channel' is 64 (from 'x'), which is not divisible by 0");
}

TEST(Binding, MemoryOrderIsSaidPerArrayAndIsOne) {
  EXPECT_EQ(bound("group_norm", {{"x", {{2, 7, 9, 64}, {"batch", "space", "channel"}}}}, {{"group", "8"}}),
            "batch=2 space=7x9 group=8 sub=8 | y=2x7x9x64 mean=2x8 rstd=2x8");
  EXPECT_EQ(bound("batch_norm_ragged", {{"x", {{3, 2, 5}, {"seq", "batch", "channel"}}}, {"length", {{2}}}}),
            "seq=3 batch=2 channel=5 | y=3x2x5 mean=5 rstd=5");
  EXPECT_EQ(bound("rms_norm_gated", {{"x", {{4, 3}, {"cols", "rows"}}}, {"z", {{3, 4}}}}),
            "rms_norm_gated: the memory orders of its arrays contradict each other (x=cols,rows; z=rows,cols): one order serves all, so "
            "say the axes of "
            "each array");
  EXPECT_EQ(bound("rms_norm_gated", {{"x", {{4, 3}, {"cols", "rows"}}}, {"z", {{4, 3}, {"cols", "rows"}}}}), "cols=4 rows=3 | y=4x3");
  EXPECT_EQ(bound("layer_norm", {{"x", {{4, 3}, {"cols", "row"}}}}),
            "layer_norm: axes of 'x': 'row' is none of them (expected some order of rows,cols)");
  EXPECT_EQ(bound("layer_norm", {{"x", {{4, 3}, {"cols", "cols"}}}}),
            "layer_norm: axes of 'x': 'cols' is named twice (expected some order of rows,cols)");
  EXPECT_EQ(bound("layer_norm", {{"x", {{4, 3}, {"cols"}}}}), "layer_norm: axes of 'x': named 1 of 2 (expected some order of rows,cols)");
}

TEST(Binding, WhatIsUnknownOrMissingIsSaid) {
  EXPECT_EQ(bound("layer_norm", {{"gama", {{3}}}}),
            "layer_norm: unknown tensor 'gama'; did you mean 'gamma'?\nlayer_norm: the input 'x' is missing");
  EXPECT_EQ(bound("softmax_ragged", {{"x", {{2, 3}}}}), "softmax_ragged: the tensor of lengths 'length' is missing");
  EXPECT_EQ(bound("layer_norm", {{"x", {{2, 3}}}}, {{"col", "3"}}), "layer_norm: bind 'col': no such axis; did you mean 'cols'?");
  EXPECT_EQ(bound("layer_norm", {{"x", {{2, 3}}}}, {{"cols", "3x"}}),
            "layer_norm: bind 'cols': expected an extent such as 768 or 10x10x32, found '3x'");
  EXPECT_EQ(bound("layer_norm", {{"x", {{2, 3}}}}, {{"cols", "-3"}}),
            "layer_norm: bind 'cols': expected an extent such as 768 or 10x10x32, found '-3'");
  EXPECT_EQ(bound("group_norm", {{"x", {{2, 8}}}}, {{"group", "2x2"}}), "group_norm: bind 'group': one axis, and '2x2' lists several");
  EXPECT_EQ(bound("layer_norm", {{"x", {{1LL << 40, 1LL << 30}}}}),
            "layer_norm: the bytes of a tensor over all axes: 8796093022208 x 1073741824 does not fit 63 bits");
}

TEST(Binding, ExtentsOfZeroAndOne) {
  EXPECT_EQ(bound("layer_norm", {{"x", {{0, 3}}}}), "rows=0 cols=3 | y=0x3 mean=0 rstd=0");
  EXPECT_EQ(bound("layer_norm", {{"x", {{5, 0}}}, {"gamma", {{0}}}}), "rows=5 cols=0 | y=5x0 mean=5 rstd=5");
  const Binding binding = bind(find_norm("layer_norm"), {{"x", {{2, 3, 4}}}, {"gamma", {{4}}}}, {});
  EXPECT_EQ(binding.extents, (Dims{6, 4}));
  EXPECT_EQ(parse_axis_order("a,b"), (std::vector<std::string>{"a", "b"}));
}

} // namespace
} // namespace normforge
