#include "codegen/cuda/emulated_block.h"

#include <map>
#include <numeric>
#include <optional>
#include <string>

#include "codegen/cuda/emulated_threads.h"
#include "codegen/emulator.h"
#include "runtime/call.h"

namespace normforge::cuda {
namespace {

/// The block or cluster that runs, and what its threads run.
struct Running {
  EmulatedThreads threads;
  ThreadFunction function;
  const nf_kernel_args *args;
  int64_t begin, end;
  uint32_t blocks; ///< of the grid
};

thread_local Running *current = nullptr;
thread_local uint64_t thread_order = 0;
thread_local int multiprocessors = 2;
thread_local std::string last_fault;
thread_local std::map<std::string, Meetings> all_meetings; ///< by kernel
thread_local std::optional<MeetingPoint> left_out;

void run_thread() {
  current->function(current->args, current->begin, current->end);
  current->threads.end_thread();
}

} // namespace

uint32_t emulated_thread() { return current->threads.thread(); }
uint32_t emulated_row() { return current->threads.row(); }
uint32_t emulated_block() { return current->threads.number(); }
uint32_t emulated_blocks() { return current->blocks; }
void *emulated_shared_memory() { return current->threads.shared_memory(); }

uint32_t emulated_exchange(uint32_t meeting, uint32_t mask, uint32_t value, uint32_t lane, Exchange how) {
  if (current->threads.passes(meeting))
    return value;
  Fiber &fiber = current->threads.current();
  fiber.meeting = meeting, fiber.mask = mask, fiber.value = value, fiber.lane = lane, fiber.how = how;
  current->threads.wait(Fiber::exchanging);
  return fiber.value;
}

void emulated_barrier(uint32_t meeting, uint32_t id, uint32_t count) {
  if (current->threads.passes(meeting))
    return;
  Fiber &fiber = current->threads.current();
  fiber.barrier = id, fiber.count = count;
  current->threads.wait(Fiber::at_barrier);
}

uint32_t emulated_cluster_rank() { return current->threads.rank(); }
void *emulated_remote(void *at, uint32_t rank) { return current->threads.remote(static_cast<char *>(at), rank); }

void emulated_cluster_arrive(uint32_t meeting) {
  if (!current->threads.passes(meeting))
    current->threads.arrive_at_cluster();
}

void emulated_cluster_wait(uint32_t meeting) {
  if (!current->threads.passes(meeting))
    current->threads.wait_for_cluster();
}

void emulated_copy(uint32_t meeting, void *to, const void *from, uint32_t bytes) {
  if (!current->threads.passes(meeting))
    current->threads.begin_copy({static_cast<char *>(to), static_cast<const char *>(from), bytes, bytes});
}

void emulated_filled_copy(uint32_t meeting, void *to, const void *from, uint32_t bytes, uint32_t exist) {
  const bool fills = !current->threads.passes(meeting + 1), poisons = !fills && left_out->poisons;
  if (!current->threads.passes(meeting))
    current->threads.begin_copy(
        {static_cast<char *>(to), static_cast<const char *>(from), bytes, fills || poisons ? exist : bytes, poisons ? kPoison : '\0'});
}

void emulated_copy_group(uint32_t meeting) {
  if (!current->threads.passes(meeting))
    current->threads.note(meeting, current->threads.commit_copies());
}

void emulated_copy_wait(uint32_t meeting, uint32_t pending) {
  if (!current->threads.passes(meeting))
    current->threads.note(meeting, current->threads.wait_for_copies(pending));
}

void emulated_mbarrier(uint32_t meeting, const void *at, uint32_t arrivals) {
  if (!current->threads.passes(meeting))
    current->threads.init_mbarrier(static_cast<const char *>(at), arrivals);
}

void emulated_bytes(uint32_t meeting, const void *at, uint32_t bytes) {
  if (!current->threads.passes(meeting))
    current->threads.expect_bytes(static_cast<const char *>(at), bytes);
}

void emulated_arrival(uint32_t meeting, const void *at) {
  if (!current->threads.passes(meeting))
    current->threads.arrive_at_mbarrier(static_cast<const char *>(at));
}

void emulated_byte_wait(uint32_t meeting, const void *at, uint32_t parity) {
  if (!current->threads.passes(meeting))
    current->threads.wait_for_mbarrier(static_cast<const char *>(at), parity);
}

void emulated_bulk_copy(uint32_t meeting, void *to, const void *from, uint32_t bytes, const void *mbarrier) {
  if (!current->threads.passes(meeting))
    current->threads.begin_bulk_copy({static_cast<char *>(to), static_cast<const char *>(from), bytes},
                                     static_cast<const char *>(mbarrier));
}

void emulated_fence(uint32_t meeting) {
  if (!current->threads.passes(meeting))
    current->threads.fence_async_proxy();
}

void emulated_access(const void *at, uint32_t bytes, uint32_t alignment, AccessKind how) {
  current->threads.access(static_cast<const char *>(at), bytes, alignment, how);
}

void run_emulated(ThreadFunction function, const EmulatedKernel *kernel, const nf_kernel_args *args, int64_t begin, int64_t end) {
  Meetings &meetings = all_meetings[kernel->name];
  meetings.kinds.assign(kernel->kinds(), kernel->kinds() + kernel->meetings);
  meetings.reached.resize(meetings.kinds.size());
  meetings.moved.resize(meetings.kinds.size());
  const bool here = left_out && left_out->kernel == kernel->name;
  const auto blocks = uint32_t(nf::grid_of(end - begin, kernel->rows, kernel->cluster, kernel->resident, multiprocessors));
  Running running{{*kernel, *args, meetings, here ? left_out->number : -1, run_thread}, function, args, begin, end, blocks};
  Order order(thread_order);
  std::vector<uint32_t> numbers(blocks / uint32_t(kernel->cluster));
  std::iota(numbers.begin(), numbers.end(), 0);
  current = &running;
  for (uint32_t number : order.of(std::move(numbers)))
    if (!running.threads.run(number * uint32_t(kernel->cluster), order)) {
      last_fault = running.threads.fault();
      break;
    }
  current = nullptr;
}

} // namespace normforge::cuda

namespace normforge {

void set_emulated_order(uint64_t order) { cuda::thread_order = order; }

void set_emulated_multiprocessors(int count) { cuda::multiprocessors = count; }

std::string take_emulator_fault() { return std::exchange(cuda::last_fault, {}); }

std::vector<MeetingPoint> take_meeting_points() {
  std::vector<MeetingPoint> points;
  for (const auto &[kernel, meetings] : std::exchange(cuda::all_meetings, {}))
    for (size_t i = 0; i < meetings.kinds.size(); ++i)
      points.push_back({kernel, int(i), cuda::kMeetingNames[size_t(meetings.kinds[i])], meetings.reached[i], meetings.moved[i]});
  return points;
}

void leave_out(const std::optional<MeetingPoint> &point) { cuda::left_out = point; }

} // namespace normforge
