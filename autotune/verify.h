// Whether what a database says of this machine still holds: its schedules compile to the same code, that passes the gate again, and some of
// the ratios to the default are measured afresh.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "autotune/choose.h"
#include "codegen/target.h"

namespace normforge {

struct VerifyOptions {
  const Target *target = nullptr;
  int threads = 1;           ///< of a call that is timed
  int sample = 4;            ///< how many schedules of a problem are timed, each at one shape
  uint64_t seed = 1;         ///< of that sample, of inputs and of the order of measuring
  int jobs = 0;              ///< threads that compile; 0: one per core
  std::string directory;     ///< where paths of norms start
  std::string cache;         ///< directory of compiled kernels; empty: none
  double limit_seconds = 10; ///< after which a silent kernel counts as hung
};

/// A Record that does not hold, and why.
struct Broken {
  RecordKey key;
  std::string why;
};

/// One schedule against the default at one shape: as the database has it, and now.
struct Retimed {
  RecordKey key;
  LogRatio recorded, now;
  double noise = 0; ///< now
  bool holds = true;
};

struct Verification {
  Problem problem;
  std::string default_schedule;
  int records = 0;   ///< of this problem, target, machine and compiler
  int elsewhere = 0; ///< of this problem and target, but of another machine or compiler
  std::vector<Broken> broken;
  std::vector<Retimed> retimed;
};

/// Throws UserError where this machine does not run the target. Comes short when stop() says so.
Verification verify(const Database &, const Problem &, const VerifyOptions &, const std::function<void(std::string_view doing)> &progress,
                    const std::function<bool()> &stop);

/// Whether two measurements of one ratio agree: their intervals meet, give or take the noise of both and what no choice is made by.
bool agree(const LogRatio &recorded, double recorded_noise, const LogRatio &now, double noise);

} // namespace normforge
