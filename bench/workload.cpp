#include "bench/workload.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "dsl/dtype.h"
#include "runtime/call.h"

namespace bench {
namespace {

using normforge::DType;

constexpr const char *kNorms[] = {"layer_norm", "rms_norm", "softmax"};
constexpr const char *kElements[] = {"f32", "bf16"};
DType dtype(hand::Element element) { return element == hand::Element::f32 ? DType::f32 : DType::bf16; }

// One row by the definition.
std::vector<double> expected(const Workload &w, int64_t row) {
  const DType d = dtype(w.element);
  const size_t cols = size_t(w.shape.cols);
  const auto n = double(cols);
  std::vector<double> v(cols);
  for (size_t j = 0; j < cols; ++j)
    v[j] = normforge::load_element(d, w.x(), size_t(row) * cols + j);
  double total = 0, top = v[0];
  for (double e : v)
    total += e, top = std::max(top, e);
  const double mean = w.norm == hand::Norm::layer_norm ? total / n : 0;
  double squares = 0, exponentials = 0;
  for (double e : v)
    squares += (e - mean) * (e - mean), exponentials += std::exp(e - top);
  for (size_t j = 0; j < cols; ++j) {
    if (w.norm == hand::Norm::softmax) {
      v[j] = std::exp(v[j] - top) / exponentials;
      continue;
    }
    v[j] = (v[j] - mean) / std::sqrt(squares / n + w.eps()) * normforge::load_element(d, w.gamma(), j);
    if (w.norm == hand::Norm::layer_norm)
      v[j] += normforge::load_element(d, w.beta(), j);
  }
  return v;
}

// fn(begin, end) over [0, count) in two halves, on two threads.
template <class Function> void halves(int threads, int64_t count, int64_t bytes, Function fn) {
  constexpr int64_t kLeastBytes = 32 << 10;
  if (threads < 2 || count < 2 || bytes / 2 < kLeastBytes)
    return fn(0, count);
  struct Both {
    Function &fn;
    int64_t count;
  } both{fn, count};
  nf_pool_run(
      2,
      [](void *context, int32_t half) {
        auto &[fn, count] = *static_cast<Both *>(context);
        fn(half ? count / 2 : 0, half ? count : count / 2);
      },
      &both);
}

} // namespace

std::string name(const Shape &shape) { return std::to_string(shape.rows) + "x" + std::to_string(shape.cols); }
std::string name(hand::Norm norm) { return kNorms[size_t(norm)]; }
std::string name(hand::Element element) { return kElements[size_t(element)]; }

void Workload::Free::operator()(void *memory) const { std::free(memory); }

Workload::Workload(hand::Norm norm, hand::Element element, Shape shape) : norm(norm), element(element), shape(shape) {
  const int64_t row = shape.cols * bytes() / (shape.rows * shape.cols);
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (size_t i = 0; i < memory.size(); ++i) {
    const bool parameter = i == 1 || i == 2;
    const int64_t size = parameter ? row : bytes();
    memory[i].reset(std::aligned_alloc(64, size_t((size + 63) / 64 * 64)));
    for (size_t j = 0; i < 3 && j < size_t(size * shape.cols / row); ++j)
      normforge::store_element(dtype(element), memory[i].get(), j, normal(random) + (i == 1 ? 1 : 0));
  }
  poison();
}

int64_t Workload::bytes() const { return shape.rows * shape.cols * normforge::info(dtype(element)).bytes; }

hand::Call Workload::call() const { return {x(), gamma(), beta(), y(), shape.cols, float(eps())}; }

void Workload::poison() const { std::memset(y(), 0xff, size_t(bytes())); }

double Workload::error() const {
  double worst = 0;
  const int64_t checked = std::min<int64_t>(shape.rows, 12);
  for (int64_t i = 0; i < checked; ++i) {
    const int64_t row = shape.rows - 1 - i * shape.rows / checked;
    const std::vector<double> want = expected(*this, row);
    const double floor = norm == hand::Norm::softmax ? *std::ranges::max_element(want) : 1;
    for (size_t j = 0; j < want.size(); ++j) {
      const double got = normforge::load_element(dtype(element), y(), size_t(row * shape.cols) + j);
      const double error = std::abs(got - want[j]) / std::max(floor, std::abs(want[j]));
      worst = error <= worst ? worst : error; // a NaN stays
    }
  }
  return worst;
}

void run_rows(const hand::Kernel &kernel, const Workload &w, int threads) {
  halves(threads, w.shape.rows, w.bytes(), [&, call = w.call()](int64_t begin, int64_t end) { kernel.run(call, begin, end); });
}

void run_copy(const hand::Copy &copy, const Workload &w, int threads) {
  halves(threads, w.bytes() / 64, w.bytes(), [&](int64_t begin, int64_t end) {
    copy.run(static_cast<const char *>(w.x()) + begin * 64, static_cast<char *>(w.y()) + begin * 64, (end - begin) * 64);
  });
}

} // namespace bench
