// What a function loads from its arguments, and where in the nest a work item stands.
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cstddef>

#include "codegen/nest/convert.h"
#include "codegen/nest/emitter.h"
#include "dsl/error.h"
#include "runtime/abi.h"

namespace normforge::nest {

namespace arith = mlir::arith;
namespace LLVM = mlir::LLVM;

Emitter::Emitter(Ir &ir, const SweepPlan &plan, const NestShape &shape, const Numerics &numerics, const NestMapping &mapping,
                 const Target &target, const std::optional<RowRecord> &record)
    : ir(ir), plan(plan), shape(shape), numerics(numerics), mapping(mapping), target(target),
      residency(residency_of(plan, shape, mapping.keep)), record(record), short_nans(has_short_nans(plan)),
      paired(pairs_lanes(plan, shape, mapping)), compute_type(storage_type(ir.getContext(), plan.specialized.compute)) {}

void Emitter::load_arguments() {
  const Program &program = plan.program();
  for (int axis = 0; axis < rank(); ++axis)
    extents.push_back(load_extent(axis));
  views.resize(program.tensors.size() + plan.temporaries.size());
  scalars.resize(program.scalars.size());
  const auto use = [&](int tensor) {
    if (!views[size_t(tensor)].base)
      views[size_t(tensor)] = make_view(tensor);
  };
  for (const Axis &axis : program.axes)
    if (axis.length >= 0)
      use(axis.length);
  for (NodeId id : shape.nodes) {
    const Node &n = node(id);
    if (n.op == Op::tensor)
      use(n.symbol);
    if (n.op == Op::scalar && !scalars[size_t(n.symbol)]) {
      Value scalar = argument(ir.getF64Type(), offsetof(nf_kernel_args, scalars) + 8 * size_t(n.symbol));
      scalars[size_t(n.symbol)] = compute_type.isF64() ? scalar : Value(arith::TruncFOp::create(ir, compute_type, scalar));
    }
  }
  for (size_t t = 0; t < plan.temporaries.size(); ++t)
    use(int(program.tensors.size() + t));
  if (record)
    records = load_buffer(record->buffer);
  const auto use_written = [&](const std::vector<Write> &writes) {
    for (const Write &write : writes)
      use(write.tensor);
  };
  use_written(shape.nest.row_writes);
  for (const Sweep &sweep : shape.nest.sweeps)
    use_written(sweep.writes), use_written(sweep.row_writes);
}

Value Emitter::load_buffer(int buffer) { return argument(ir.pointer_type(), offsetof(nf_kernel_args, buffers) + 8 * size_t(buffer)); }

Value Emitter::load_extent(int axis) {
  const CollapsedAxis &collapsed = plan.specialized.axes[size_t(axis)];
  if (collapsed.extent.fixed())
    return ir.i64(collapsed.extent.lo);
  Value product = ir.i64(1);
  for (int part : collapsed.parts) {
    const Extent &extent = plan.problem.extents[size_t(part)];
    product = ir.mul(product,
                     extent.fixed() ? ir.i64(extent.lo) : argument(ir.getI64Type(), offsetof(nf_kernel_args, extents) + 8 * size_t(part)));
  }
  return product;
}

/// Strides of a dense tensor follow from the extents; others are read from the arguments, but the innermost one of Layout::rows is 1.
View Emitter::make_view(int tensor) {
  const Program &program = plan.program();
  const size_t count = program.tensors.size();
  const bool temporary = size_t(tensor) >= count;
  View view;
  view.dtype = temporary ? plan.specialized.compute : *plan.specialized.dtypes[size_t(tensor)];
  view.axes = temporary ? plan.temporaries[size_t(tensor) - count].axes : program.axes_of(program.tensors[size_t(tensor)]);
  const Layout layout = temporary ? Layout::dense : plan.specialized.layouts[size_t(tensor)];
  view.base =
      temporary ? load_buffer(tensor - int(count)) : argument(ir.pointer_type(), offsetof(nf_kernel_args, tensors) + 8 * size_t(tensor));
  view.stride.resize(size_t(rank()));
  Value inside = ir.i64(1);
  bool innermost = true;
  for (int axis = rank() - 1; axis >= 0; --axis) {
    if (!(view.axes & axis_bit(axis)))
      continue;
    if (layout == Layout::dense || (layout == Layout::rows && innermost)) {
      view.stride[size_t(axis)] = inside;
    } else {
      const size_t element = size_t(tensor) * NF_MAX_AXES + size_t(plan.specialized.axes[size_t(axis)].parts.back());
      view.stride[size_t(axis)] = argument(ir.getI64Type(), offsetof(nf_kernel_args, strides) + 8 * element);
    }
    if (axis == shape.vector_axis)
      view.contiguous = innermost && layout != Layout::any;
    inside = ir.mul(inside, extents[size_t(axis)]);
    innermost = false;
  }
  return view;
}

/// Buffers for the point values that sweeps leave to later ones, for each row that is worked on at once.
void Emitter::make_buffers() {
  if (!residency.slots)
    return;
  Value memory = buffer_memory(residency.row_bytes() / sharers() * mapping.rows);
  for (int slot = 0; slot < residency.slots; ++slot) {
    View view;
    view.dtype = plan.specialized.compute;
    view.axes = shape.nest.reduced | axis_bit(shape.vector_axis);
    view.base = ir.address(memory, ir.getI8Type(), ir.i64(residency.slot_bytes / sharers() * slot));
    view.stride.resize(size_t(rank()));
    int64_t inside = 1;
    for (int axis = rank() - 1; axis >= 0; --axis) {
      if (!(view.axes & axis_bit(axis)))
        continue;
      view.stride[size_t(axis)] = ir.i64(inside / (axis == shape.vector_axis ? 1 : sharers()));
      const int64_t extent = shape.nest.reduced & axis_bit(axis) ? plan.specialized.axes[size_t(axis)].extent.lo : 1;
      inside *= axis == shape.vector_axis ? (shape.inner ? padded_run(shape, extent) : shape.width) : extent;
    }
    view.contiguous = view.own = true;
    views.push_back(view);
  }
}

void Emitter::write_row_outputs(const std::vector<Write> &writes, Frames &rows) {
  for (const Write &row_write : writes)
    for (Frame &frame : rows)
      write(row_write, frame, /*asks=*/true);
}

/// The frame of one kept index: `item` counts the kept axes other than the vector axis, innermost fastest.
Frame Emitter::frame_at(Value item) {
  Frame frame;
  frame.index.resize(size_t(rank()));
  frame.value.resize(plan.program().nodes.size());
  frame.splat.resize(plan.program().nodes.size());
  for (const View &view : views)
    frame.pointer.push_back(view.base);
  for (size_t k = shape.kept.size(); k-- > 0;) {
    const int axis = shape.kept[k];
    bind(frame, axis, k ? ir.rem(item, extents[size_t(axis)]) : item);
    if (k)
      item = ir.div(item, extents[size_t(axis)]);
  }
  return frame;
}

/// The body where the index exists along ragged kept axes, and where ragged reduced axes leave it anything.
void Emitter::if_kept(Frame &frame, const std::function<void()> &body) {
  Value exists = ir.boolean(true);
  for (int axis : shape.kept)
    if (plan.program().axes[size_t(axis)].length >= 0)
      exists = ir.logical_and(exists, ir.is(arith::CmpIPredicate::slt, frame.index[size_t(axis)], bound_of(axis, frame)));
  ir.when(exists, [&] {
    Value filled = ir.boolean(true);
    if (shape.ragged_reduction)
      filled = ir.is(arith::CmpIPredicate::sgt, count_over(shape.nest.reduced, frame), ir.i64(0));
    ir.when(filled, body);
  });
}

/// The body for `rows` kept indexes from `item` on, or for the tile `item`.
void Emitter::at_item(Value item, int rows, const RowsBody &body) {
  if (!shape.inner)
    return at_tile(item, body);
  Frames frames;
  for (int r = 0; r < rows; ++r)
    frames.push_back(frame_at(ir.add(item, ir.i64(r))));
  if_kept(frames.front(), [&] { body(frames); });
}

void Emitter::at_tile(Value item, const RowsBody &body) {
  Value columns = extents[size_t(shape.vector_axis)];
  Value tiles = ir.div(ir.add(columns, ir.i64(shape.width - 1)), ir.i64(shape.width));
  Frame frame = frame_at(ir.div(item, tiles));
  if_kept(frame, [&] {
    Value start = ir.mul(ir.rem(item, tiles), ir.i64(shape.width));
    Value left = ir.sub(bound_of(shape.vector_axis, frame), start);
    bind(frame, shape.vector_axis, start);
    const auto with = [&](Value active) {
      Frames rows{frame};
      rows.front().lanes = lanes_of(shape.width, active);
      body(rows);
      return Values();
    };
    ir.when(ir.is(arith::CmpIPredicate::sgt, left, ir.i64(0)), [&] {
      ir.when_else(ir.is(arith::CmpIPredicate::sge, left, ir.i64(shape.width)), {}, [&] { return with({}); }, [&] { return with(left); });
    });
  });
}

void Emitter::emit_rows(Frames &rows) {
  std::ranges::fill(filled, 0);
  for (size_t r = 0; r < rows.size(); ++r)
    for (int slot = 0; slot < residency.slots; ++slot) {
      const size_t buffer = plan.program().tensors.size() + plan.temporaries.size() + size_t(slot);
      rows[r].pointer[buffer] = ir.address(views[buffer].base, ir.getI8Type(), ir.i64(residency.row_bytes() / sharers() * int64_t(r)));
    }
  for (NodeId id : shape.nest.rows)
    evaluate(id, rows);
  write_row_outputs(shape.nest.row_writes, rows);
  for (size_t sweep = 0; sweep < shape.nest.sweeps.size(); ++sweep)
    if (shape.nest.sweeps[sweep].moments.empty())
      emit_sweep(sweep, rows);
}

} // namespace normforge::nest
