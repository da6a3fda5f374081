// A call with everything that it is given: from files, shapes and words to a Problem of fixed extents, memory for every tensor, and the
// scalars.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/npy.h"
#include "dsl/binding.h"
#include "dsl/problem.h"

namespace normforge::cli {

/// What a person says of a call, by name of tensor, axis or scalar.
struct CallWords {
  std::string norm;                           ///< a catalogue name or a path
  std::map<std::string, std::string> inputs;  ///< npy file by input, inout or length tensor
  std::map<std::string, std::string> outputs; ///< npy file by output or inout tensor
  std::map<std::string, std::string> binds;   ///< extents by axis
  std::map<std::string, std::string> dtypes;  ///< by tensor
  std::map<std::string, std::string> axes;    ///< memory order by tensor: "batch,space,channel"
  std::map<std::string, std::string> scalars;
};

struct BoundCall {
  Problem problem;
  Binding binding;
  std::vector<Bytes> memory;   ///< by tensor; read, or zeroed for outputs
  std::vector<void *> tensors; ///< by tensor: its memory; null: absent or unwanted
  std::vector<double> scalars; ///< by scalar

  const Program &program() const { return problem.norm->program; }
};

/// Reads, binds and checks all of it. Throws UserError: names that the norm lacks, files that are not read, shapes that do not fit, dtypes
/// that a tensor cannot have, scalars outside their domain, requirements that do not hold.
BoundCall bind_call(const CallWords &words);

/// Fills the outputs and updates from the reference evaluator in place of a kernel.
void run_reference(BoundCall &call);

} // namespace normforge::cli
