// The sweep plan: a specialised program's reductions ordered into passes over the data. Every backend lowers the same plan.
//
// A nest iterates over its kept axes; for each kept index it makes sweeps over the reduced axes. A node is a *row* node when it does not
// vary over a reduced axis, else a *point* node. A sweep evaluates point nodes at each point, accumulates reductions, and writes outputs
// that vary over reduced axes; the row nodes that its reductions make known follow it. Point outputs are all written in the last sweep,
// after everything at that point was read, so that an output may be the same memory as an input.
//
// A sweep whose reductions are all centred moments of sums of the sweep before it can run with that one, chunk by chunk
// (codegen/moments.cpp); whether it does is a Schedule's choice (Numerics::chunked).
//
// A norm whose reductions run over different axes has one nest per set of axes; a reduction or pivot that a later nest needs is kept in a
// temporary.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "dsl/specialize.h"

namespace normforge {

struct Write {
  int tensor; ///< index in program.tensors, or a temporary: program.tensors.size() + index in SweepPlan::temporaries
  NodeId node;
};

/// squares = sum((v - mean)^2) with mean = sum / count, sum = sum(v).
struct Moment {
  NodeId sum, mean, squares;
};

struct Sweep {
  std::vector<NodeId> points;     ///< point nodes to evaluate, operands first
  std::vector<NodeId> reductions; ///< reductions whose operand is among them (or is a row node: count by summing ones)
  std::vector<Write> writes;      ///< outputs written at each point; in the last sweep only
  std::vector<NodeId> rows;       ///< row nodes evaluated once the sweep has ended, operands first
  std::vector<Write> row_writes;  ///< outputs that vary over kept axes only, written after `rows`
  std::vector<Moment> moments;    ///< its reductions, where it can run with the sweep before it, chunk by chunk; else empty
};

struct Nest {
  AxisSet kept = 0, reduced = 0;
  std::vector<NodeId> rows;      ///< row nodes evaluated before the first sweep (`first`, counts, scalars, reads over kept axes)
  std::vector<Write> row_writes; ///< row outputs that need no sweep
  std::vector<Sweep> sweeps;
};

/// A value that one nest leaves for a later one, in compute dtype, dense over `axes` in memory order.
struct Temporary {
  NodeId node;
  AxisSet axes;
  int nest; ///< the nest that writes it, in a row write; any other that has the node among its own reads it
};

struct SweepPlan {
  Problem problem;
  Specialized specialized;
  std::vector<Nest> nests;
  std::vector<Temporary> temporaries;

  const Program &program() const { return specialized.program; }
  /// The innermost axis in memory order: what lanes run along; -1 when there are no axes.
  int vector_axis() const { return int(specialized.program.axes.size()) - 1; }
  /// Whether any node is expanded into polynomials: then fma pays and defaults to on.
  bool transcendental() const;
  /// Whether any sweep can run chunk by chunk with the one before it.
  bool has_moments() const;
};

/// `sweep`'s reductions as centred moments of the sums of the sweep `before` it; empty where it must wait for the end of that one.
std::vector<Moment> moments_of(const Program &, const Sweep &before, const Sweep &sweep);

SweepPlan make_sweep_plan(const Problem &problem, const PassTrace &trace = {});

/// The axis of the norm that rows run along, where the norm reduces the contiguous axis and no other, and to the same length in all rows;
/// else -1.
int run_axis(const SweepPlan &);

/// Outputs (bits by tensor) that a sweep writes at every point, and those that are written once a row. A kernel must get the former; of the
/// latter it leaves out what is null.
std::pair<uint64_t, uint64_t> written_outputs(const SweepPlan &);

/// What `show --stage=sweeps` prints. `chunked`: with the sweeps that can run chunk by chunk doing so.
std::string to_text(const SweepPlan &, bool chunked = false);

} // namespace normforge
