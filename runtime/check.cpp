// Everything that is refused before anything runs. Extents first, since the rest multiplies them: once the product of all is known to fit
// in 63 bits, only strides and bytes can still overflow. Then each tensor by itself, then scalars and requirements, then tensors against
// each other.
//
// Strides count elements, 0 stands for "right behind what the axes inside span". An axis of extent 1 has no stride worth looking at and
// gets the dense one. A tensor is free of overlap with itself when each |stride| is at least the span of the axes inside; so it fills [low,
// high] of the memory around its pointer, where low < 0 only by negative strides.
#include "runtime/call.h"

#include <string.h>

namespace {

using nf::CheckedCall;
using nf::Span;

constexpr uint8_t kElementBytes[] = {8, 4, 2, 2, 1, 1, 4}; // by nf_dtype

template <typename T> T read(const void *args, int32_t offset) {
  T value;
  memcpy(&value, static_cast<const char *>(args) + offset, sizeof value);
  return value;
}

bool required(const nf_tensor &tensor) { return tensor.role != NF_OUTPUT && !tensor.optional; }

nf_status refuse(CheckedCall *call, nf_status status, const char *culprit, const char *other = nullptr) {
  call->culprit = culprit;
  call->other = other;
  return status;
}

nf_status check_extents(const void *args, CheckedCall *call) {
  int64_t points = 1;
  for (int a = 0; a < call->function->axes; ++a) {
    const nf_axis &axis = call->function->axis[a];
    const int64_t extent = call->args.extents[a] = read<int64_t>(args, axis.extent_offset);
    if (extent < 0)
      return refuse(call, NF_NEGATIVE_EXTENT, axis.name);
    if (extent == 0)
      call->empty = true;
    else if (__builtin_mul_overflow(points, extent, &points))
      return refuse(call, NF_TOO_LARGE, axis.name);
  }
  return NF_OK;
}

/// A tensor's reach from its pointer, in elements.
struct Reach {
  int64_t low = 0, high = 0, elements = 1;
  bool dense = true, rows = true;
};

/// Strides of tensor `t`, and what follows from them.
nf_status check_strides(const void *args, int t, CheckedCall *call, Reach *reach) {
  const nf_tensor &tensor = call->function->tensor[t];
  int64_t *strides = call->args.strides[t];
  for (int a = 0; a < call->function->axes; ++a)
    strides[a] = 0;
  int64_t span = 1, behind = 1; // of the axes inside: elements from first to last, and the stride that puts the next axis right behind
  for (int i = tensor.rank - 1; i >= 0; --i) {
    const int axis = tensor.axes[i];
    const int64_t extent = call->args.extents[axis];
    strides[axis] = behind;
    if (extent > 1) {
      const int64_t given = tensor.stride_offset[i] < 0 ? 0 : read<int64_t>(args, tensor.stride_offset[i]);
      if (given == INT64_MIN)
        return NF_TOO_LARGE;
      const int64_t stride = given ? given : behind, magnitude = stride < 0 ? -stride : stride;
      int64_t distance;
      if (magnitude < span)
        return NF_STRIDE_TOO_SMALL;
      if (__builtin_mul_overflow(magnitude, extent, &behind) || __builtin_mul_overflow(magnitude, extent - 1, &distance) ||
          __builtin_add_overflow(span, distance, &span))
        return NF_TOO_LARGE;
      (stride < 0 ? reach->low : reach->high) += stride < 0 ? -distance : distance;
      reach->dense &= stride == reach->elements;
      reach->rows &= stride == 1 || i + 1 < tensor.rank;
      strides[axis] = stride;
    }
    reach->elements *= extent;
  }
  return NF_OK;
}

/// From elements around `pointer` to addresses; false when they leave the address space.
bool to_bytes(const void *pointer, int64_t width, const Reach &reach, Span *span) {
  int64_t low, size, end;
  const uintptr_t base = reinterpret_cast<uintptr_t>(pointer);
  if (__builtin_mul_overflow(reach.low, width, &low) || __builtin_add_overflow(reach.high - reach.low, 1, &size) ||
      __builtin_mul_overflow(size, width, &size) || __builtin_add_overflow(low, size, &end))
    return false;
  return !__builtin_add_overflow(base, low, &span->begin) && !__builtin_add_overflow(base, end, &span->end);
}

nf_status check_tensor(const void *args, int t, CheckedCall *call) {
  const nf_tensor &tensor = call->function->tensor[t];
  const uint64_t bit = uint64_t(1) << t;
  const int64_t width = kElementBytes[tensor.dtype];
  void *pointer = call->args.tensors[t] = read<void *>(args, tensor.pointer_offset);
  Reach reach;
  if (pointer || required(tensor)) {
    if (const nf_status status = check_strides(args, t, call, &reach); status != NF_OK)
      return refuse(call, status, tensor.name);
    if (!pointer && reach.elements > 0)
      return refuse(call, NF_NULL_TENSOR, tensor.name);
  }
  call->dense |= reach.dense ? bit : 0;
  call->rows |= reach.rows ? bit : 0;
  if (!pointer)
    return NF_OK;
  call->present |= bit;
  call->written |= tensor.role == NF_OUTPUT || tensor.role == NF_INOUT ? bit : 0;
  if (reinterpret_cast<uintptr_t>(pointer) & uintptr_t(width - 1))
    return refuse(call, NF_MISALIGNED, tensor.name);
  if (!to_bytes(pointer, width, reach, &call->spans[t]))
    return refuse(call, NF_TOO_LARGE, tensor.name);
  if (reach.elements == 0)
    call->spans[t].end = call->spans[t].begin;
  int64_t moved;
  if (__builtin_mul_overflow(reach.elements, width * (tensor.role == NF_INOUT ? 2 : 1), &moved) ||
      __builtin_add_overflow(call->bytes, moved, &call->bytes))
    call->bytes = INT64_MAX;
  return NF_OK;
}

bool allows(const nf_scalar &scalar, double value) {
  if (scalar.set_size > 0) {
    for (int i = 0; i < scalar.set_size; ++i)
      if (scalar.set[i] == value)
        return true;
    return false;
  }
  return (scalar.lo_open ? value > scalar.lo : value >= scalar.lo) && (scalar.hi_open ? value < scalar.hi : value <= scalar.hi);
}

double evaluate(const nf_operand &operand, const nf_kernel_args &args) {
  switch (operand.kind) {
  case NF_COUNT_OF: return double(nf::product(operand.axes, args.extents));
  case NF_SCALAR_OF: return args.scalars[operand.scalar];
  case NF_CONSTANT_OF: break;
  }
  return operand.constant;
}

bool holds(const nf_requirement &requirement, const nf_kernel_args &args) {
  const double lhs = evaluate(requirement.lhs, args), rhs = evaluate(requirement.rhs, args);
  switch (requirement.compare) {
  case NF_LESS: return lhs < rhs;
  case NF_LESS_EQUAL: return lhs <= rhs;
  case NF_EQUAL: break;
  }
  return lhs == rhs;
}

/// Whether two tensors start at one address and stride alike.
bool same_memory(const CheckedCall *call, int a, int b) {
  const size_t bytes = size_t(call->function->axes) * sizeof(int64_t);
  return call->args.tensors[a] == call->args.tensors[b] && memcmp(call->args.strides[a], call->args.strides[b], bytes) == 0;
}

/// The outermost axis as a period: elements lie in [begin + k * period, begin + k * period + inner).
struct Periodic {
  uintptr_t period, inner;
};

Periodic periodic(const CheckedCall *call, int t) {
  const nf_tensor &tensor = call->function->tensor[t];
  const uintptr_t size = call->spans[t].end - call->spans[t].begin;
  for (int i = 0; i < tensor.rank; ++i) {
    const int axis = tensor.axes[i];
    const int64_t extent = call->args.extents[axis], stride = call->args.strides[t][axis];
    if (extent > 1) {
      const uintptr_t period = uintptr_t(stride < 0 ? -stride : stride) * kElementBytes[tensor.dtype];
      return {period, size - period * uintptr_t(extent - 1)};
    }
  }
  return {0, size};
}

/// Whether the rows of one tensor lie between the rows of the other, as with two column ranges of one matrix.
bool interleaved(const CheckedCall *call, int a, int b) {
  const Periodic first = periodic(call, a), second = periodic(call, b);
  if (first.period == 0 || first.period != second.period)
    return false;
  const uintptr_t begin = call->spans[a].begin, period = first.period;
  const uintptr_t distance = call->spans[b].begin - begin;
  const uintptr_t offset = call->spans[b].begin >= begin ? distance % period : (period - (0 - distance) % period) % period;
  return first.inner <= offset && offset + second.inner <= period;
}

nf_status check_overlap(CheckedCall *call) {
  const nf_tensor *tensor = call->function->tensor;
  uint64_t others = call->present;
  for (uint64_t left = call->written; left; left &= left - 1) {
    const int t = __builtin_ctzll(left);
    others &= ~(uint64_t(1) << t); // each pair once
    for (uint64_t rest = others; rest; rest &= rest - 1) {
      const int u = __builtin_ctzll(rest);
      if (!nf::overlap(call->spans[t], call->spans[u]))
        continue;
      if ((tensor[t].in_place >> u & 1) && same_memory(call, t, u))
        call->in_place |= uint64_t(1) << t;
      else if (!interleaved(call, t, u))
        return refuse(call, NF_OVERLAP, tensor[t].name, tensor[u].name);
    }
  }
  return NF_OK;
}

} // namespace

extern "C" nf_status nf_check(const nf_function *function, const void *args, CheckedCall *call) {
  call->culprit = call->other = nullptr;
  if (!function || !args)
    return NF_NULL_ARGUMENT;
  call->function = function;
  call->present = call->written = call->dense = call->rows = call->in_place = 0;
  call->bytes = 0;
  call->empty = false;
  if (const nf_status status = check_extents(args, call); status != NF_OK)
    return status;
  for (int t = 0; t < function->tensors; ++t)
    if (const nf_status status = check_tensor(args, t, call); status != NF_OK)
      return status;
  if (call->written == 0 && !call->empty)
    return NF_NO_OUTPUT;
  for (int s = 0; s < function->scalars; ++s) {
    call->args.scalars[s] = read<double>(args, function->scalar[s].offset);
    if (!allows(function->scalar[s], call->args.scalars[s]))
      return refuse(call, NF_SCALAR_DOMAIN, function->scalar[s].name);
  }
  for (int r = 0; r < function->requirements; ++r)
    if (!holds(function->requirement[r], call->args))
      return refuse(call, NF_REQUIREMENT, function->requirement[r].text);
  return check_overlap(call);
}
