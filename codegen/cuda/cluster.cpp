#include "codegen/cuda/cluster.h"

#include "codegen/cuda/device.h"

namespace normforge::cuda {

namespace arith = mlir::arith;

void sync_cluster(Ir &ir) {
  arrive_at_cluster(ir);
  wait_for_cluster(ir);
}

void store_in_all(Ir &ir, const Threads &threads, Value value, Value pointer, unsigned alignment) {
  if (threads.cluster == 1)
    return ir.store(value, pointer, alignment);
  for (int rank = 0; rank < threads.cluster; ++rank)
    ir.store(value, remote_address(ir, pointer, arith::ConstantIntOp::create(ir, rank, 32)), alignment);
}

void for_one_lane_each(Ir &ir, const Threads &threads, Value lane, const std::function<void(const Place &)> &body) {
  if (threads.cluster == 1)
    return ir.when(ir.is(arith::CmpIPredicate::eq, lane, ir.i64(0)), [&] { body([](Value pointer) { return pointer; }); });
  ir.when(ir.is(arith::CmpIPredicate::slt, lane, ir.i64(threads.cluster)), [&] {
    Value rank = arith::TruncIOp::create(ir, ir.getI32Type(), lane);
    body([&](Value pointer) { return remote_address(ir, pointer, rank); });
  });
}

} // namespace normforge::cuda
