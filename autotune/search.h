// The search: for each problem, candidates are compiled, pass the gate, are timed at every shape of the problem's ladder, and the best of
// them lead to further candidates; then the winners are measured afresh at every shape, side by side with the default, and choose() decides
// on the Records alone. Records are appended to the database as they come, so that nothing is lost when a search is stopped, and a later
// one need not measure it again.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "autotune/choose.h"
#include "autotune/device.h"
#include "autotune/lockfile.h"
#include "codegen/backend.h"

namespace normforge {

enum class Effort { estimate, quick, patient, exhaustive };

/// What an effort buys.
struct EffortPlan {
  double seconds;    ///< for a problem, where no budget is said
  int waves;         ///< rounds of neighbours, the default's own included
  int centers;       ///< schedules at a shape whose neighbours a wave tries,
  int leaders;       ///< of so many that are the best there
  int search_rounds; ///< of the last stage of a wave
  int confirm_rounds;
};
const EffortPlan &plan_of(Effort);

struct SearchOptions {
  const Target *target = nullptr;
  const Backend *backend = nullptr; ///< that compiles for the target
  Effort effort = Effort::quick;
  double budget_seconds = 0; ///< for all problems together; 0: none
  uint64_t seed = 1;
  int threads = 1;           ///< of a call that is timed
  bool pin = false;          ///< timed calls stay on as many CPUs, the last ones that this process may use
  int jobs = 0;              ///< threads that compile; 0: one per core
  bool resume = false;       ///< what the database has is not measured again
  bool numerics = false;     ///< the numerics half is open, too; the first problem of a function decides it
  std::string database;      ///< file
  std::string cache;         ///< directory of compiled kernels; empty: none
  double limit_seconds = 10; ///< after which a silent kernel counts as hung
  Warn warn;                 ///< is told of lines of the database that are damaged, and passed over, and of a default that spills
};

/// Where a search stands, for a line that a person watches.
struct Progress {
  int problem = 0, problems = 0; ///< this one, counted from 1, of so many
  std::string text;              ///< of the problem
  std::string_view doing;        ///< "compiling", "checking", "measuring", "confirming"
  int tried = 0, alive = 0;      ///< candidates that were compiled; that are being measured
  int shape = 0, shapes = 0;
  std::string leader;                  ///< the best schedule so far at this shape
  LogRatio best;                       ///< that against the default
  double noise = 0;                    ///< floor, of that shape; 0: not known yet
  double seconds_left = 0;             ///< at most, of all problems; below 0: there is no limit
  std::map<std::string, int> rejected; ///< by cause
};

struct SearchResult {
  Problem problem;
  Question question;
  Answer answer;
  std::vector<LockEntry> entries;
  bool complete = true; ///< false: stopped, or out of time before the first confirmation
};

using ShowProgress = std::function<void(const Progress &)>;

/// Searches problem after problem; `done` is told of each. Stops soon after stop() says so. Throws UserError: a database that cannot be
/// written, a target that this machine does not run.
std::vector<SearchResult> search(std::span<const Problem> problems, const SearchOptions &options, const ShowProgress &progress,
                                 const std::function<void(const SearchResult &)> &done, const std::function<bool()> &stop);

/// The question that Records of such a search answer, for the machine and the build at hand.
Question question_for(const Problem &, const Target &, const Backend &, int threads, const std::string &device);

/// The answer's bands as lines of a lockfile. They pin the numerics half where it is not the one that the function has by default.
std::vector<LockEntry> lock_entries(const Answer &, const Question &);

} // namespace normforge
