#include "autotune/timed_records.h"

#include <algorithm>

#include "autotune/device.h"
#include "autotune/workload.h"

namespace normforge {

std::vector<Record> timed_records(const Question &question, const Target &target, const Problem &shape, std::span<const Entry> entries,
                                  MeasureOptions options, const std::function<void(int)> &progress, const std::function<bool()> &stop) {
  std::vector<const Kernel *> kernels;
  std::vector<bool> same_bits;
  for (const Entry &entry : entries) {
    kernels.push_back(entry.kernel);
    same_bits.push_back(entry.same_bits);
  }
  options.threads = question.threads;
  options.rotation_bytes = rotation_bytes(parse_fingerprint(question.device).cache);
  std::vector<Timings> timings = measure(question.problem, target, shape, kernels, same_bits, options, progress, stop);
  std::vector<Record> records;
  for (size_t i = 0; i < entries.size(); ++i) {
    records.push_back({entries[i].key, timings[i].rejected, entries[i].deviation, std::move(timings[i].samples)});
    std::ranges::sort(records.back().samples);
  }
  return records;
}

std::vector<Record> telling(std::vector<Record> records) {
  std::erase_if(records, [](const Record &record) { return record.samples.empty() && record.rejected.empty(); });
  return records;
}

} // namespace normforge
