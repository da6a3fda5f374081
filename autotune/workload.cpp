#include "autotune/workload.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <sys/mman.h>

#include "autotune/shapes.h"
#include "codegen/check/sample_inputs.h"
#include "dsl/error.h"

namespace normforge {
namespace {

constexpr int64_t kLine = 64, kPage = 4096;
constexpr int64_t kPattern = 65521; ///< elements of made-up values before they repeat: a prime, so that rows differ

int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

int64_t elements(const Problem &shape, const Tensor &tensor) {
  int64_t n = 1;
  for (int axis : tensor.axes)
    n *= shape.extents[size_t(axis)].lo;
  return n;
}

} // namespace

int64_t rotation_bytes(const std::vector<int64_t> &caches) {
  return std::min(kMostRotation, 2 * (caches.empty() ? int64_t(32) << 20 : caches.back()));
}

void Workload::Unmap::operator()(char *data) const { ::munmap(data, bytes); }

/// From page to page where a set begins with 0, as large allocations lie; some lines further for each tensor in the others.
char *Workload::at(const Part &part, int set) const {
  return memory.get() + set * one_set + part.offset + part.index * set * 3 * kLine % kPage;
}

Workload::Workload(const Problem &shape, uint64_t seed, int least_sets, int64_t least_bytes) {
  const Program &program = shape.norm->program;
  std::vector<Part> parts(program.tensors.size());
  for (size_t t = 0; t < program.tensors.size(); ++t)
    if (present(shape, int(t))) {
      const int64_t bytes = elements(shape, program.tensors[t]) * info(*shape.dtypes[t]).bytes;
      parts[t] = {one_set, bytes, int64_t(t), *shape.dtypes[t]};
      one_set += round_up(bytes, kPage) + 2 * kPage; // room to move, and a page between
    }
  for (const auto &[output, input] : shape.in_place)
    parts[size_t(output)] = parts[size_t(input)];
  for (size_t t = 0; t < program.tensors.size(); ++t) {
    const bool in_place = std::ranges::any_of(shape.in_place, [&](const auto &pair) { return pair.first == int(t); });
    if (parts[t].bytes && (program.tensors[t].role == Tensor::inout || in_place))
      rewritten.push_back(parts[t]);
    else if (parts[t].bytes && program.tensors[t].role == Tensor::output)
      written.push_back(parts[t]);
  }
  one_set = std::max(one_set, kPage);
  count = int(std::max<int64_t>(least_sets, (least_bytes + one_set - 1) / one_set));
  const size_t bytes = size_t(count) * size_t(one_set);
  void *mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    throw UserError("'" + to_text(shape) + "': cannot get " + std::to_string(bytes >> 20) + " MiB to measure it: " + std::strerror(errno));
  memory = {static_cast<char *>(mapped), Unmap{bytes}};
  for (int set = 0; set < count; ++set) {
    std::vector<void *> &tensors = pointers.emplace_back(parts.size());
    for (size_t t = 0; t < parts.size(); ++t)
      tensors[t] = present(shape, int(t)) ? at(parts[t], set) : nullptr;
  }
  fill(shape, seed, parts);
}

void Workload::fill(const Problem &shape, uint64_t seed, const std::vector<Part> &parts) {
  const Program &program = shape.norm->program;
  const std::vector<int64_t> extents = fixed_extents(shape);
  Random random(seed);
  for (size_t t = 0; t < parts.size(); ++t) {
    if (!parts[t].bytes || program.tensors[t].role == Tensor::output)
      continue;
    SampleValues sample(shape, int(t), extents, {});
    char *data = at(parts[t], 0);
    const int64_t n = elements(shape, program.tensors[t]), made = std::min(n, kPattern);
    for (int64_t i = 0; i < made; ++i)
      store_element(*shape.dtypes[t], data, size_t(i), sample.next(random));
    const int64_t period = made * info(*shape.dtypes[t]).bytes;
    for (int64_t done = period; done < parts[t].bytes; done += period)
      std::memcpy(data + done, data, size_t(std::min(period, parts[t].bytes - done)));
  }
  poison(0);
  for (const Part &part : rewritten)
    pristine.insert(pristine.end(), at(part, 0), at(part, 0) + part.bytes);
  for (int set = 1; set < count; ++set)
    for (const Part &part : parts)
      std::memcpy(at(part, set), at(part, 0), size_t(part.bytes));
}

void Workload::restore(int set) const {
  const char *from = pristine.data();
  for (const Part &part : rewritten) {
    std::memcpy(at(part, set), from, size_t(part.bytes));
    from += part.bytes;
  }
}

void Workload::poison(int set) const {
  for (const Part &part : written)
    std::memset(at(part, set), 0xff, size_t(part.bytes));
}

std::vector<char> Workload::results(int set) const {
  std::vector<char> bytes;
  for (const std::vector<Part> *parts : {&rewritten, &written})
    for (const Part &part : *parts)
      bytes.insert(bytes.end(), at(part, set), at(part, set) + part.bytes);
  return bytes;
}

bool Workload::same(const std::vector<char> &a, const std::vector<char> &b) const {
  if (a == b)
    return true;
  int64_t begin = 0;
  for (const std::vector<Part> *parts : {&rewritten, &written})
    for (const Part &part : *parts) {
      for (size_t i = 0; i < size_t(part.bytes / info(part.dtype).bytes); ++i) {
        const double x = load_element(part.dtype, a.data() + begin, i), y = load_element(part.dtype, b.data() + begin, i);
        if (std::memcmp(&x, &y, sizeof x) != 0 && !(std::isnan(x) && std::isnan(y)))
          return false;
      }
      begin += part.bytes;
    }
  return true;
}

} // namespace normforge
