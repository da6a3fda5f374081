#include "bench/compare.h"

#include <algorithm>
#include <stdexcept>

namespace bench {
namespace {

struct HandWritten {
  std::vector<Candidate> kernels; ///< the plain one first
  std::vector<Candidate> copies;  ///< plain, streaming
};

HandWritten hand_written(const Workload &work, int level, int threads) {
  HandWritten all;
  for (const hand::Kernel &kernel : level == 4 ? hand::avx512_kernels() : hand::avx2_kernels())
    if (kernel.norm == work.norm && kernel.element == work.element)
      all.kernels.push_back({hand::name(kernel), [&kernel, &work, threads] { run_rows(kernel, work, threads); }});
  for (const hand::Copy &copy : level == 4 ? hand::avx512_copies() : hand::avx2_copies())
    all.copies.push_back({copy.stream ? "streaming copy" : "copy", [&copy, &work, threads] { run_copy(copy, work, threads); }});
  return all;
}

void check(const Candidate &candidate, const Workload &work) {
  work.poison();
  candidate.run();
  if (const double error = work.error(); !(error <= work.tolerance()))
    throw std::runtime_error(problem_text(work.norm, work.element, work.shape) + ", " + candidate.name + ": wrong by " +
                             std::to_string(error));
}

size_t fastest(const std::vector<std::vector<double>> &samples, size_t begin, size_t end) {
  size_t best = begin;
  for (size_t c = begin; c < end; ++c)
    if (median(samples[c]) < median(samples[best]))
      best = c;
  return best;
}

} // namespace

Cell compare(const Workload &work, const std::vector<Generated> &generated, int level, int threads, bool quick) {
  std::vector<Candidate> all;
  for (const Generated &kernel : generated)
    all.push_back({kernel.schedule, [&kernel, threads] { kernel.run(threads); }});
  const HandWritten hand = hand_written(work, level, threads);
  const size_t ours = all.size();
  all.insert(all.end(), hand.kernels.begin(), hand.kernels.end());
  for (const Candidate &candidate : all)
    check(candidate, work);

  const auto trial = measure(all, {.rounds = quick ? 3 : 7, .seed = 1});
  const Candidate &best = all[fastest(trial, 0, ours)], &best_hand = all[fastest(trial, ours, all.size())];
  const auto samples = measure({all[0], best, all[ours], best_hand, hand.copies[0], hand.copies[1]}, {.rounds = quick ? 7 : 25, .seed = 2});

  Cell cell{.norm = name(work.norm), .element = name(work.element), .shape = work.shape, .threads = threads};
  cell.seconds = median(samples[0]);
  cell.default_schedule = all[0].name;
  cell.plain = paired_ratio(samples[0], samples[2]);
  cell.best_schedule = best.name;
  cell.best_hand = best_hand.name;
  cell.best = paired_ratio(samples[1], samples[3]);
  cell.copy = paired_ratio(samples[4], samples[0]);
  cell.stream_copy = paired_ratio(samples[5], samples[0]);
  return cell;
}

} // namespace bench
