// Normalizes what goes into a sentence encoder's LayerNorms with a generated library, and says how right and how fast it was.
//
// usage: minilm DIRECTORY | minilm --synthetic
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "bench/hand/hand.h"
#include "bench/harness.h"
#include "inputs.h"
#include "minilm_norms.h"
#include "plain.h"
#include "untuned.h"

namespace {

constexpr double kEps = 1e-12; // the model's

struct Free {
  void operator()(float *memory) const { std::free(memory); }
};
using Buffer = std::unique_ptr<float, Free>;

Buffer aligned_copy(const std::vector<float> &values) {
  const size_t bytes = (values.size() * sizeof(float) + 63) / 64 * 64;
  Buffer buffer(static_cast<float *>(std::aligned_alloc(64, bytes)));
  std::memcpy(buffer.get(), values.data(), values.size() * sizeof(float));
  return buffer;
}

// Everything the library needs to know is in the struct; what stays at its default is not said.
minilm_norms_layer_norm_f32_args arguments(const Input &input, const float *x, float *y) {
  minilm_norms_layer_norm_f32_args args = minilm_norms_layer_norm_f32_defaults();
  args.rows = input.rows;
  args.cols = input.cols;
  args.x = x;
  args.gamma = input.gamma.data();
  args.beta = input.beta.data();
  args.eps = kEps;
  args.y = y;
  return args;
}

constexpr minilm_norms_options kOptions{.threads = 1};

void generated(const Input &input, const float *x, float *y) {
  const minilm_norms_layer_norm_f32_args args = arguments(input, x, y);
  if (const minilm_norms_status status = minilm_norms_layer_norm_f32(&args, &kOptions); status != MINILM_NORMS_OK)
    throw std::runtime_error(minilm_norms_status_string(status));
}

// Which of the library's kernels serves the call.
std::string which(const Input &input) {
  std::vector<float> y(input.x.size());
  const minilm_norms_layer_norm_f32_args args = arguments(input, input.x.data(), y.data());
  minilm_norms_choice choice;
  minilm_norms_layer_norm_f32_which(&args, &kOptions, &choice);
  return "kernel for x86-64-v" + std::to_string(choice.level) + " of '" + choice.problem + "'\nby '" + choice.schedule + "'";
}

// The largest |y - reference| / max(1, |reference|), the reference in f64.
double error(const Input &input, const float *y) {
  double worst = 0;
  const auto cols = size_t(input.cols);
  for (int64_t i = 0; i < input.rows; ++i, y += cols) {
    const float *x = input.x.data() + size_t(i) * cols;
    double mean = 0, squares = 0;
    for (size_t j = 0; j < cols; ++j)
      mean += double(x[j]) / double(cols);
    for (size_t j = 0; j < cols; ++j)
      squares += (x[j] - mean) * (x[j] - mean);
    const double rstd = 1 / std::sqrt(squares / double(cols) + kEps);
    for (size_t j = 0; j < cols; ++j) {
      const double want = (x[j] - mean) * rstd * input.gamma[j] + input.beta[j];
      const double wrong = std::abs(y[j] - want) / std::max(1.0, std::abs(want));
      worst = wrong <= worst ? worst : wrong; // a NaN stays
    }
  }
  return worst;
}

bool same_bits_untuned(const Input &input, const float *x, const float *y) {
  std::vector<float> untuned(input.x.size());
  untuned_layer_norm(x, input.gamma.data(), input.beta.data(), kEps, input.rows, input.cols, untuned.data());
  return std::memcmp(untuned.data(), y, untuned.size() * sizeof(float)) == 0;
}

// The kernels of bench/hand that this machine runs at its widest.
std::vector<hand::Kernel> hand_written() {
  std::vector<hand::Kernel> found;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return found;
  for (const hand::Kernel &kernel : __builtin_cpu_supports("avx512bw") ? hand::avx512_kernels() : hand::avx2_kernels())
    if (kernel.norm == hand::Norm::layer_norm && kernel.element == hand::Element::f32)
      found.push_back(kernel);
  return found;
}

/// Seconds of a call of the generated function, and the others' times as multiples of it.
struct Times {
  double generated, untuned, scalar, hand, copy;
};

constexpr size_t kFirstHand = 4; // of the candidates: ours, the untuned, the loop and a copy stand before

Times measure(const Input &input, const float *x, float *y) {
  const float *gamma = input.gamma.data(), *beta = input.beta.data();
  std::vector<bench::Candidate> candidates{
      {"generated", [=, &input] { generated(input, x, y); }},
      {"untuned", [=, &input] { untuned_layer_norm(x, gamma, beta, kEps, input.rows, input.cols, y); }},
      {"scalar loop", [=, &input] { plain_layer_norm(x, gamma, beta, float(kEps), input.rows, input.cols, y); }},
      {"copy", [=, &input] { std::memcpy(y, x, input.x.size() * sizeof(float)); }},
  };
  for (const hand::Kernel &kernel : hand_written())
    candidates.push_back({hand::name(kernel),
                          [=, &input, call = hand::Call{x, gamma, beta, y, input.cols, float(kEps)}] { kernel.run(call, 0, input.rows); }});
  // The fastest of the hand-written ones is chosen on samples of its own.
  if (candidates.size() > kFirstHand) {
    const auto trial = bench::measure(candidates, {.rounds = 3});
    size_t best = kFirstHand;
    for (size_t c = best; c < candidates.size(); ++c)
      best = bench::median(trial[c]) < bench::median(trial[best]) ? c : best;
    candidates.erase(candidates.begin() + long(best) + 1, candidates.end());
    candidates.erase(candidates.begin() + long(kFirstHand), candidates.begin() + long(best));
  }
  const auto samples = bench::measure(candidates, {.rounds = 15});
  const auto times = [&](size_t c) { return c < samples.size() ? bench::paired_ratio(samples[c], samples[0]).value : std::nan(""); };
  return {bench::median(samples[0]), times(1), times(2), times(kFirstHand), times(3)};
}

void print_row(const std::string &norm, const std::string &shape, double error, const Times &t) {
  std::printf("%-5s %9s %10.1e %8.1f %8.2fx %15.2fx %12.2fx %7.2fx\n", norm.c_str(), shape.c_str(), error, t.generated * 1e6, t.untuned,
              t.scalar, t.hand, t.copy);
}

void compare(const std::vector<Input> &inputs) {
  std::printf("%zu LayerNorms on one thread: error against f64; time of the generated kernel, and of the others as multiples of it\n%s\n\n",
              inputs.size(), which(inputs[0]).c_str());
  std::printf("%-5s %9s %10s %8s %9s %16s %13s %8s\n", "norm", "shape", "error", "us", "untuned", "scalar loop -O3", "hand-written",
              "copy");
  Times all{0, 1, 1, 1, 1};
  double worst = 0;
  for (const Input &input : inputs) {
    const Buffer x = aligned_copy(input.x), y = aligned_copy(input.x);
    generated(input, x.get(), y.get());
    const double wrong = error(input, y.get());
    worst = wrong <= worst ? worst : wrong;
    if (!same_bits_untuned(input, x.get(), y.get()))
      throw std::runtime_error(input.name + ": tuning changed a bit of the result");
    const Times times = measure(input, x.get(), y.get());
    print_row(input.name, std::to_string(input.rows) + "x" + std::to_string(input.cols), wrong, times);
    all.generated += times.generated;
    for (auto ratio : {&Times::untuned, &Times::scalar, &Times::hand, &Times::copy}) // geometric means
      all.*ratio *= std::pow(times.*ratio, 1 / double(inputs.size()));
  }
  print_row("all", "", worst, all);
  if (!(worst <= 2e-6))
    throw std::runtime_error("the error is larger than 2e-6");
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: minilm DIRECTORY | minilm --synthetic\n");
    return 1;
  }
  try {
    compare(std::strcmp(argv[1], "--synthetic") == 0 ? synthetic_inputs() : read_inputs(argv[1]));
  } catch (const std::exception &error) {
    std::fprintf(stderr, "minilm: %s\n", error.what());
    return 1;
  }
}
