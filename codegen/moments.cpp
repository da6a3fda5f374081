// Which sweeps can run chunk by chunk with the sweep before them. The second of
//
//   t = sum(v)    m = t / n    q = sum((v - m)^2)
//
// waits for the mean of all elements, but need not: over the elements of one chunk, t and q about the chunk's own mean tell all that is
// needed, since two disjoint sets a and b merge by (Chan, Golub and LeVeque, 1979)
//
//   n = n_a + n_b    t = t_a + t_b    q = q_a + q_b + (t_b / n_b - t_a / n_a)^2 * n_a * n_b / n
//
// So a chunk can be gone over twice while it is in the nearest cache, and is read from memory once. All reductions of the second sweep must
// be such a q of a t of the first one, and what it writes must not depend on what the first one reduces.
#include <algorithm>

#include "codegen/sweep_plan.h"

namespace normforge {
namespace {

bool counts(const Program &program, NodeId id, AxisSet over) {
  const Node &node = program.node(id);
  if (node.op == Op::sum && node.over == over) { // of ones, where lengths vary
    const Node &unit = program.node(node.operands[0]);
    return unit.op == Op::constant && unit.value == 1;
  }
  return node.op == Op::count && node.over == over;
}

/// `squares` as the centred moment of one of `sums`, if it is.
std::optional<Moment> moment_of(const Program &program, NodeId squares, const std::vector<NodeId> &sums) {
  const Node &reduction = program.node(squares);
  if (reduction.op != Op::sum)
    return std::nullopt;
  const Node &square = program.node(reduction.operands[0]);
  const bool is_square = (square.op == Op::pow && square.value == 2) || (square.op == Op::mul && square.operands[0] == square.operands[1]);
  const Node &centred = program.node(is_square ? square.operands[0] : 0);
  if (!is_square || centred.op != Op::sub)
    return std::nullopt;
  for (const NodeId value : {centred.operands[0], centred.operands[1]}) {
    const NodeId mean = centred.operands[value == centred.operands[0] ? 1 : 0];
    const Node &ratio = program.node(mean);
    if (ratio.op != Op::div || !counts(program, ratio.operands[1], reduction.over))
      continue;
    const NodeId sum = ratio.operands[0];
    if (std::ranges::find(sums, sum) != sums.end() && program.node(sum).op == Op::sum && program.node(sum).over == reduction.over &&
        program.node(sum).operands[0] == value)
      return Moment{sum, mean, squares};
  }
  return std::nullopt;
}

bool depends_on(const Program &program, NodeId root, const std::vector<NodeId> &reductions) {
  std::vector<char> below(program.nodes.size(), 0);
  below[size_t(root)] = 1;
  for (NodeId id = root; id >= 0; --id)
    if (below[size_t(id)])
      for (int i = 0; i < info(program.node(id).op).operands; ++i)
        below[size_t(program.node(id).operands[size_t(i)])] = 1;
  return std::ranges::any_of(reductions, [&](NodeId id) { return below[size_t(id)] != 0; });
}

} // namespace

std::vector<Moment> moments_of(const Program &program, const Sweep &before, const Sweep &sweep) {
  std::vector<Moment> moments;
  for (NodeId id : sweep.reductions)
    if (const auto moment = moment_of(program, id, before.reductions))
      moments.push_back(*moment);
    else
      return {};
  const auto waits = [&](const Write &write) { return depends_on(program, write.node, before.reductions); };
  return std::ranges::any_of(sweep.writes, waits) ? std::vector<Moment>() : moments;
}

} // namespace normforge
