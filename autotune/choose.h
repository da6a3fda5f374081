// From Records to an answer, and nothing but Records: the same samples give the same answer later, on any machine.
//
// Within a shape, every schedule is compared with the default by the pairs of samples that they share. A schedule is faster when the
// interval of its ratio lies beyond the noise floor, in samples of a confirming run, and when it does not lose more with cold caches than
// it gains with warm ones; of those that are, the one is best whose gain less that loss is the most. Over all shapes, the fewest bands of
// the ladder are found such that one schedule serves each band: within kWithin of the best at every shape in it, and slower than the
// default at none.
//
// All that is said of warm calls holds of cold ones on a GPU, where they alone are measured (deciding_regime()).
//
// Where the numerics half is open, too, all bands share one: that of the default, unless another serves every shape and is faster on the
// whole. It is the half of every kernel of the function (codegen/package), so the first problem of a function decides it for the others.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "autotune/database.h"
#include "autotune/statistics.h"
#include "dsl/problem.h"

namespace normforge {

inline constexpr double kWithin = 0.03; ///< how far a band's schedule may lie behind the best of a shape

/// What is asked: everything that a Record's key has beside shape, schedule and code.
struct Question {
  Problem problem;
  std::string target, compiler, device;
  std::string default_schedule; ///< canonical
  int threads = 1;
  bool numerics = false; ///< whether schedules of other numerics halves than the default's may be chosen
};

/// One schedule at one shape, against the default.
struct Standing {
  std::string schedule;
  double seconds = 0;               ///< median of its samples
  LogRatio search, confirmed, cold; ///< without pairs: not measured so
};

/// What is known of one shape.
struct ShapeResult {
  Problem shape;
  double noise = 0, cold_noise = 0; ///< floors; 0: not measured
  std::vector<Standing> standings;  ///< the default first, then the fastest first
  size_t best = 0;                  ///< in `standings`; 0: the default stays
  bool noisy = false;               ///< something may be faster, but noise hides it

  const Standing *find(const std::string &schedule) const;
};

/// One schedule for a part of the problem's range.
struct Band {
  Problem problem; ///< with the range along the ladder where `schedule` serves
  std::string schedule;
  double gain = 1; ///< time of the default over its own: the least of the band's shapes
};

struct Rejection {
  std::string schedule, why;
};

struct Answer {
  std::vector<ShapeResult> shapes; ///< smallest first
  std::vector<Band> bands;         ///< cover the problem; one with the default where nothing was measured
  std::vector<Rejection> rejections;
};

/// The problem of a Record of the question's norm, whatever file that norm was in.
Problem problem_of(const RecordKey &, const Question &);

/// The devices that Records answering the question, whatever its own device, were measured on.
std::vector<std::string> devices_of(const Database &, Question question);

/// The schedule that others were measured against, as the question has it or, where the problem was tuned as a part of a wider one or under
/// another numerics half, as the Records have it: by its second samples of each round.
std::string measured_default(const Database &, const Question &);

/// All that Records say of one shape.
ShapeResult compare(const Database &, const Question &, const Problem &shape);

Answer choose(const Database &, const Question &);

/// What it loses with cold caches, beyond their noise, as a log-ratio; 0: nothing, or not measured. An estimate that more samples do not
/// move, as an end of the interval would be moved.
double cold_loss(const ShapeResult &, const Standing &);

/// What calls cost that find caches warm or cold, as a log-ratio to the default's: the warm time, and the loss when cold on top of it. A
/// sum, so that what hardly differs hardly changes a choice.
double cost(const ShapeResult &, const Standing &);

/// Whether `standing` may take the default's place: faster beyond noise when warm, and of lower cost.
bool wins(const ShapeResult &, const Standing &standing);

/// Whether the whole interval lies beyond the noise, on the slow side.
bool slower(const LogRatio &, double noise);

/// Whether it loses with cold caches, beyond noise, what it gains with warm ones, or more.
bool loses_cold(const ShapeResult &, const Standing &);

/// Whether a Record of `inner` says something about `outer`: the same but for extents, and those within its own.
bool lies_within(const Problem &inner, const Problem &outer);

} // namespace normforge
