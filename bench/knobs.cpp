#include "bench/knobs.h"

#include "autotune/measure.h"
#include "codegen/backend.h"
#include "dsl/error.h"

namespace bench {

using namespace normforge;

std::vector<KnobWin> knob_wins() {
  constexpr std::string_view v4 = "x86-64-v4";
  constexpr std::string_view channels_last = "batch_norm_train batch=32 channel=512 space=49 order=batch,space,channel outputs=y";
  return {
      {"chunked", "moments batch=32 channel=64 space=12544 order=batch,space,channel", v4, 1, "chunked", "two_pass"},
      {"lanes", "rms_norm rows=32 cols=100 outputs=y", v4, 1, "lanes=64 |", "lanes=32 |"},
      {"fma", "softmax rows=32 cols=768 outputs=y", v4, 1, "fma=on |", "fma=off |"},
      {"rows", "layer_norm rows=32 cols=768 x=bf16 outputs=y", v4, 1, "rows=4", "rows=1"},
      {"unroll", "rms_norm rows=64 cols=128 outputs=y", v4, 1, "rows=2 unroll=2", "rows=2 unroll=1"},
      {"vector", "layer_norm rows=256 cols=24 outputs=y", v4, 1, "vector=256", "vector=512"},
      {"tile", channels_last, v4, 1, "tile=128", "tile=32"},
      {"keep", "softmax rows=32 cols=768 outputs=y", v4, 1, "keep=scratch", "keep=reread"},
      {"keep", "add_rms_norm rows=64 cols=128 outputs=y,sum", v4, 1, "rows=1 keep=registers", "rows=2 keep=reread"},
      {"keep", "softmax rows=64 cols=16384 outputs=y", v4, 1, "keep=output", "keep=scratch"},
      {"store", "rms_norm rows=8192 cols=4096 outputs=y", v4, 1, "store=stream", "store=normal"},
      {"prefetch", "layer_norm rows=512 cols=768 outputs=y", v4, 1, "prefetch=1", "prefetch=0"},
      {"split", "layer_norm rows=1 cols=1000000 outputs=y", v4, 2, "split=16", "split=1"},
      {"grain", "softmax rows=64 cols=768 outputs=y", v4, 2, "grain=16K", "grain=1M"},
  };
}

KnobResult measure(const KnobWin &win, bool quick) {
  const Target &target = find_target(win.target);
  const Backend &backend = backend_for(target);
  const SweepPlan plan = make_sweep_plan(parse_problem(win.problem));
  const Schedule base = backend.default_schedule(plan, target);
  std::vector<Kernel> kernels;
  for (std::string_view text : {win.loses, win.wins})
    kernels.push_back(backend.compile(plan, parse_schedule(text, backend.knobs(), base), target, "kernel"));
  const normforge::MeasureOptions options{.threads = win.threads, .rounds = quick ? 7 : 21, .confirms = true};
  const Kernel *both[] = {&kernels[0], &kernels[1]};
  const std::vector<bool> same_bits(2, parse_schedule(win.wins, backend.knobs(), base).numerics ==
                                           parse_schedule(win.loses, backend.knobs(), base).numerics);
  const std::vector<Timings> timings =
      normforge::measure(plan.problem, target, plan.problem, both, same_bits, options, [](int) {}, [] { return false; });
  std::vector<double> times[2];
  for (int k : {0, 1}) {
    if (!timings[size_t(k)].rejected.empty())
      throw UserError(std::string(win.knob) + ": " + timings[size_t(k)].rejected);
    for (const Samples &samples : timings[size_t(k)].samples)
      if (samples.regime == Regime::warm && !samples.twin)
        times[k] = samples.seconds;
  }
  return {win, paired_ratio(times[1], times[0])};
}

} // namespace bench
