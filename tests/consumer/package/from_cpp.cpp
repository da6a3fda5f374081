// The same header from C++: bf16 elements as their bits, the library's threads against one thread, and the caller's own.
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "norms.h"

namespace {

void on_my_threads(void *, int32_t tasks, void (*task)(void *, int32_t), void *context) {
  std::vector<std::thread> threads;
  for (int32_t i = 0; i < tasks; ++i)
    threads.emplace_back(task, context, i);
  for (std::thread &thread : threads)
    thread.join();
}

} // namespace

int main() {
  constexpr int64_t kRows = 4096, kCols = 768;
  std::vector<uint16_t> x(kRows * kCols), serial(x.size()), threaded(x.size()), own(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = uint16_t(0x3f00 + i * 37 % 256); // 0.5 to 2
  norms_softmax_bf16_args args = norms_softmax_bf16_defaults();
  args.rows = kRows;
  args.cols = kCols;
  args.x = x.data();
  norms_options options{};
  options.threads = 1;
  args.y = serial.data();
  bool good = norms_softmax_bf16(&args, &options) == NORMS_OK;
  args.y = threaded.data();
  good &= norms_softmax_bf16(&args, nullptr) == NORMS_OK;
  options.threads = 3;
  options.parallel_for = on_my_threads;
  args.y = own.data();
  good &= norms_softmax_bf16(&args, &options) == NORMS_OK;
  good &= serial == threaded && serial == own && serial[0] != 0;
  std::puts(good ? "the same bits on one thread and many" : "results differ");
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
