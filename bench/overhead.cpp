// What a call costs beside its kernel: layer_norm at 1x768 with a kernel that does nothing, by the length of the function's table of
// kernels; and what it takes to split a call over threads. One number each, so Google Benchmark serves.
#include <benchmark/benchmark.h>

#include "tests/runtime/sample.h"

namespace {

void nothing(const nf_kernel_args *, int64_t, int64_t) {}

/// layer_norm: x, gamma, beta -> y, mean, rstd; eps. Of so many kernels the last serves; the others are tuned for other extents.
class LayerNorm {
public:
  explicit LayerNorm(int64_t kernels) {
    const int rows = sample.add_axis("rows", 1), cols = sample.add_axis("cols", 768);
    const int x = sample.add_tensor("x", NF_INPUT, NF_F32, {rows, cols}, xs);
    sample.add_tensor("gamma", NF_INPUT, NF_F32, {cols}, gammas, true);
    sample.add_tensor("beta", NF_INPUT, NF_F32, {cols}, betas, true);
    const int y = sample.add_tensor("y", NF_OUTPUT, NF_F32, {rows, cols}, ys);
    sample.add_tensor("mean", NF_OUTPUT, NF_F32, {rows}, means);
    sample.add_tensor("rstd", NF_OUTPUT, NF_F32, {rows}, rstds);
    sample.add_scalar("eps", 1e-5, 0);
    sample.tensors[size_t(y)].in_place = uint64_t(1) << x;
    for (int64_t k = 1; k <= kernels; ++k) {
      nf_kernel &kernel = sample.add_kernel("kernel", nothing, {.outer = 1, .tiled = 0, .tile = 1, .times = 1});
      kernel.grain_bytes = 1;
      if (k < kernels)
        kernel.ranges[cols] = {1000 * k, 1000 * k};
    }
    function = sample.function();
  }

  nf_status call(const nf_options &options) const { return nf_call(function, sample.args(), &options); }
  void set_rows(int64_t rows) { sample.set_extent(0, rows); }

private:
  float xs[768 * 8], ys[768 * 8], gammas[768], betas[768], means[8], rstds[8];
  normforge::testing::Sample sample;
  const nf_function *function;
};

void one_row(benchmark::State &state) {
  const LayerNorm norm(state.range(0));
  for (auto _ : state)
    if (norm.call({}) != NF_OK)
      state.SkipWithError("refused");
}
BENCHMARK(one_row)->ArgName("kernels")->Arg(1)->Arg(10)->Arg(30)->Arg(100);

void split(benchmark::State &state) {
  LayerNorm norm(1);
  norm.set_rows(8);
  for (auto _ : state)
    if (norm.call({.threads = int32_t(state.range(0))}) != NF_OK)
      state.SkipWithError("refused");
}
BENCHMARK(split)->ArgName("threads")->Arg(1)->Arg(2)->Arg(4)->UseRealTime();

} // namespace

BENCHMARK_MAIN();
