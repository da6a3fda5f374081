// A call in words: which kernel serves it and why, or why none does. For a generic kernel the reason is the first unmet condition of the
// specialized kernel that came nearest, which is the one that meets most of them in the order in which they are looked at.
#include <stdio.h>

#include "runtime/call.h"

namespace {

using nf::CheckedCall;
using nf::Condition;

constexpr nf_options kDefaults{};

struct Nearest {
  const nf_kernel *kernel = nullptr;
  Condition unmet = Condition::level;
};

Nearest nearest(const CheckedCall &call, bool specialized, nf::Machine machine, int64_t workspace_bytes) {
  Nearest best;
  for (int k = 0; k < call.function->kernels; ++k) {
    const nf_kernel *kernel = &call.function->kernel[k];
    if (specialized && kernel->origin == NF_GENERIC)
      continue;
    const Condition unmet = nf_unmet(kernel, &call, machine, workspace_bytes);
    const bool older = unmet == Condition::level && best.kernel && kernel->level < best.kernel->level;
    if (!best.kernel || unmet > best.unmet || (older && unmet == best.unmet))
      best = {kernel, unmet};
  }
  return best;
}

const char *first_of(uint64_t tensors, const CheckedCall &call) { return call.function->tensor[__builtin_ctzll(tensors)].name; }

void explain_ranges(const nf_kernel &kernel, const CheckedCall &call, char *text, size_t size) {
  for (int a = 0; a < call.function->axes; ++a) {
    const nf_range range = kernel.ranges[a];
    const int64_t extent = call.args.extents[a];
    if (extent >= range.lo && extent <= range.hi)
      continue;
    const int used =
        snprintf(text, size, "for %s=%lld; the nearest serves %lld", call.function->axis[a].name, (long long)extent, (long long)range.lo);
    if (range.hi != range.lo && used > 0 && size_t(used) < size)
      range.hi == INT64_MAX ? snprintf(text + used, size - size_t(used), " and more")
                            : snprintf(text + used, size - size_t(used), "..%lld", (long long)range.hi);
    return;
  }
}

/// What keeps the nearest kernel from serving, behind "no (specialized) kernel ".
void explain(const Nearest &nearest, const CheckedCall &call, nf::Machine machine, char *text, size_t size) {
  if (!nearest.kernel) {
    snprintf(text, size, "of %s in this library", call.function->name);
    return;
  }
  const nf_kernel &kernel = *nearest.kernel;
  switch (nearest.unmet) {
  case Condition::level:
    if (!kernel.code == machine.gpu)
      snprintf(text, size, "for a %s", machine.gpu ? "GPU" : "CPU");
    else if (machine.gpu)
      snprintf(text, size, "for compute capability %d.%d, the device's; the nearest wants %d.%d", machine.level / 10, machine.level % 10,
               kernel.level / 10, kernel.level % 10);
    else
      snprintf(text, size, "for x86-64-v%d, the level in force; the nearest wants v%d", machine.level, kernel.level);
    return;
  case Condition::tensors:
    if (const uint64_t missing = kernel.needs & ~call.present)
      snprintf(text, size, "without %s", first_of(missing, call));
    else
      snprintf(text, size, "with %s", first_of(call.present & ~kernel.takes, call));
    return;
  case Condition::ranges: explain_ranges(kernel, call, text, size); return;
  case Condition::layout:
    if (const uint64_t spread = kernel.rows & ~call.rows)
      snprintf(text, size, "for %s with a stride between neighbours", first_of(spread, call));
    else
      snprintf(text, size, "for %s with strides that aren't dense", first_of(kernel.dense & ~call.dense, call));
    return;
  case Condition::in_place: snprintf(text, size, "unless %s is in place", first_of(kernel.in_place & ~call.in_place, call)); return;
  case Condition::shared_memory:
    snprintf(text, size, "for blocks with %lld bytes of shared memory, the device's; the nearest wants %lld",
             (long long)machine.shared_bytes, (long long)nf_kernel_shared_bytes(&kernel));
    return;
  case Condition::workspace:
    snprintf(text, size, "without a workspace of %lld bytes", (long long)nf_kernel_workspace(&kernel, call.args.extents));
    return;
  case Condition::none: snprintf(text, size, "comes before it"); return;
  }
}

void explain_status(nf_status status, const CheckedCall &call, char *text, size_t size) {
  const char *words = nf_status_string(status);
  if (call.culprit && call.other)
    snprintf(text, size, "%s: %s and %s", words, call.culprit, call.other);
  else if (call.culprit)
    snprintf(text, size, "%s: %s", words, call.culprit);
  else
    snprintf(text, size, "%s", words);
}

int32_t widest(const nf_kernel *kernel, const CheckedCall &call, const nf_options *options) {
  int32_t most = 1;
  for (int s = 0; s < kernel->steps; ++s) {
    const int32_t tasks = nf_step_tasks(kernel, &kernel->step[s], &call, options);
    most = tasks > most ? tasks : most;
  }
  return most;
}

} // namespace

extern "C" void nf_explain(const CheckedCall *call, nf_status status, const nf_kernel *kernel, nf::Machine machine, int64_t workspace_bytes,
                           nf_choice *choice) {
  char reason[sizeof choice->why - 32];
  if (status == NF_NO_KERNEL || status == NF_WORKSPACE_NEEDED || status == NF_SHARED_MEMORY || status == NF_OLD_DEVICE) {
    explain(nearest(*call, false, machine, workspace_bytes), *call, machine, reason, sizeof reason);
    snprintf(choice->why, sizeof choice->why, "no kernel %s", reason);
  } else if (status != NF_OK) {
    explain_status(status, *call, choice->why, sizeof choice->why);
  } else if (!kernel) {
    snprintf(choice->why, sizeof choice->why, "nothing to do: an extent is 0");
  } else if (kernel->origin != NF_GENERIC) {
    snprintf(choice->why, sizeof choice->why, "%s: the first kernel whose conditions all hold",
             kernel->origin == NF_TUNED ? "tuned" : "specialized");
  } else {
    explain(nearest(*call, true, machine, workspace_bytes), *call, machine, reason, sizeof reason);
    snprintf(choice->why, sizeof choice->why, "generic: no specialized kernel %s", reason);
  }
  if (status != NF_OK || !kernel)
    return;
  choice->problem = kernel->problem;
  choice->schedule = kernel->schedule;
  choice->level = kernel->level;
  choice->origin = kernel->origin;
  choice->workspace_bytes = nf_kernel_workspace(kernel, call->args.extents);
}

extern "C" nf_status nf_which(const nf_function *function, const void *args, const nf_options *options, nf_choice *choice) {
  if (!choice)
    return NF_NULL_ARGUMENT;
  *choice = nf_choice{};
  options = options ? options : &kDefaults;
  CheckedCall call;
  const nf_kernel *kernel;
  const nf_status status = nf_prepare(function, args, options, &call, &kernel);
  nf_explain(&call, status, kernel, {nf_level()}, options->workspace ? options->workspace_bytes : 0, choice);
  if (status == NF_OK && kernel)
    choice->threads = widest(kernel, call, options);
  return status;
}

extern "C" nf_status nf_workspace_bytes(const nf_function *function, const void *args, int64_t *bytes) {
  if (!bytes)
    return NF_NULL_ARGUMENT;
  *bytes = 0;
  CheckedCall call;
  const nf_kernel *kernel;
  const int32_t level = nf_level();
  if (const nf_status status = nf_check(function, args, &call); status != NF_OK)
    return status;
  if (level == 0)
    return NF_LEVEL_UNSUPPORTED;
  if (call.empty)
    return NF_OK;
  if (const nf_status status = nf_choose(&call, {level}, INT64_MAX, &kernel); status != NF_OK)
    return status;
  *bytes = nf_kernel_workspace(kernel, call.args.extents);
  return NF_OK;
}
