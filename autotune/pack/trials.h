// Trials: the candidates of one problem on the machine that measures them, where none can be added. They are timed at each shape of the
// problem's ladder, the slower ones dropped on the way; then the best of every shape afresh at every shape, and half way between shapes
// that different ones win, as a search does it.
//
// What came of a shape goes to the database at once, the default's Record last: where it is there, all of that shape is, so that trials
// that were killed go on with the shape that they were at, and measure none twice.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autotune/choose.h"
#include "autotune/machine.h"
#include "codegen/kernel.h"
#include "codegen/target.h"

namespace normforge {

/// A candidate that may be timed.
struct Trial {
  std::string schedule; ///< canonical
  Kernel kernel;
  bool same_bits = true; ///< it has the default's numerics half
  double deviation = 0;  ///< the gate's
  std::string rejected;  ///< why it may not be timed; empty: it may
};

struct TrialOptions {
  const Machine *machine;
  int search_rounds = 0, confirm_rounds = 0; ///< of the last stage at a shape
  double seconds = 0;                        ///< for the problem, to be kept, but for what is needed to compare at all
  uint64_t seed = 1;
  bool pin = false;
  double limit_seconds = 10; ///< after which a silent kernel counts as hung
  std::string database;      ///< file
};

class Trials {
public:
  /// What a person is told: "rows=64 …", how many kernels are timed there, whether what was found is confirmed.
  using Tell = std::function<void(const Problem &shape, int kernels, bool confirms)>;

  /// The first of `trials` is the default; those that have been rejected on this machine before are not timed. `known` is what the database
  /// has; all of it must live as long.
  Trials(const Question &question, const Target &target, std::vector<Trial> &trials, const TrialOptions &options, Database &known);

  /// Whether there is nothing left to measure.
  bool complete() const;
  /// Measures what is left. Throws UserError: a database that cannot be written.
  void run(const Tell &tell);

private:
  const Question &question;
  const Target &target;
  std::vector<Trial> &trials;
  const TrialOptions &options;
  Database &known;
  std::vector<Problem> shapes; ///< of the ladder

  RecordKey key(const Problem &of, const Trial &trial) const;
  bool is_known(const Problem &shape, bool confirms) const;
  std::string known_rejection(const Trial &trial) const;
  void keep(const Problem &of, std::vector<Record> records);
  void keep_rejections();
  std::vector<size_t> finalists() const;
  void time(const Problem &shape, const std::vector<size_t> &entrants, bool confirms, double seconds);
};

} // namespace normforge
