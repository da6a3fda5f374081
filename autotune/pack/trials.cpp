#include "autotune/pack/trials.h"

#include <algorithm>

#include "autotune/bands.h"
#include "autotune/borders.h"
#include "autotune/clock.h"
#include "autotune/finalists.h"
#include "autotune/shapes.h"
#include "autotune/timed_records.h"
#include "codegen/hash.h"

namespace normforge {

Trials::Trials(const Question &question, const Target &target, std::vector<Trial> &trials, const TrialOptions &options, Database &known)
    : question(question), target(target), trials(trials), options(options), known(known), shapes(measured_shapes(question.problem)) {
  for (Trial &trial : trials)
    if (trial.rejected.empty())
      trial.rejected = known_rejection(trial);
}

RecordKey Trials::key(const Problem &of, const Trial &trial) const {
  return {hash_text(question.problem.norm->hash), to_text(of),       question.target, trial.schedule,
          hash_text(trial.kernel.code_hash),      question.compiler, question.device};
}

bool Trials::is_known(const Problem &shape, bool confirms) const {
  const Record *record = known.find(key(shape, trials.front()));
  return record && std::ranges::any_of(record->samples, [&](const Samples &samples) {
           return samples.threads == question.threads && samples.confirms == confirms;
         });
}

/// About all of the problem, a shape of the ladder or a border.
std::string Trials::known_rejection(const Trial &trial) const {
  RecordKey mine = key(question.problem, trial);
  for (const auto &[other, record] : known.records()) {
    if (record.rejected.empty())
      continue;
    mine.problem = other.problem;
    if (mine == other && lies_within(problem_of(other, question), question.problem))
      return record.rejected;
  }
  return "";
}

bool Trials::complete() const {
  return !trials.front().rejected.empty() || (std::ranges::all_of(shapes, [&](const Problem &shape) { return is_known(shape, true); }) &&
                                              border_shapes(question, choose(known, question)).empty());
}

void Trials::run(const Tell &tell) {
  keep_rejections();
  const double start = now();
  const auto seconds_left = [&](double share, size_t shapes_left) {
    return std::max(kLeastSeconds, (share * options.seconds - (now() - start)) / double(shapes_left));
  };
  std::vector<size_t> entrants;
  const auto measure = [&](const Problem &shape, bool confirms, size_t shapes_left) {
    std::erase_if(entrants, [&](size_t i) { return !trials[i].rejected.empty(); });
    tell(shape, int(entrants.size()) + 1, confirms);
    time(shape, entrants, confirms, seconds_left(confirms ? 1 : kSearchShare, shapes_left));
  };
  for (const bool confirms : {false, true}) {
    // Who is confirmed follows from the search alone: the same after an interruption.
    if (confirms)
      entrants = finalists();
    for (size_t i = 1; i < trials.size() && !confirms; ++i)
      entrants.push_back(i);
    for (size_t s = 0; s < shapes.size() && trials.front().rejected.empty(); ++s)
      if (!is_known(shapes[s], confirms))
        measure(shapes[s], confirms, shapes.size() - s);
  }
  const auto over = [&] { return !trials.front().rejected.empty(); };
  if (!over())
    measure_borders(known, question, over, [&](const Problem &shape, size_t left) { measure(shape, true, left); });
}

void Trials::keep(const Problem &of, std::vector<Record> records) {
  if (records.empty())
    return;
  std::ranges::partition(records, [&](const Record &record) { return record.key != key(of, trials.front()); });
  append_records(options.database, records);
  for (Record &record : records)
    known.add(std::move(record));
}

void Trials::keep_rejections() {
  std::vector<Record> records;
  for (const Trial &trial : trials)
    if (!trial.rejected.empty() && known_rejection(trial).empty())
      records.push_back({key(question.problem, trial), trial.rejected, 0, {}});
  keep(question.problem, std::move(records));
}

std::vector<size_t> Trials::finalists() const {
  const auto index_of = [&](const std::string &schedule) {
    for (size_t i = 0; i < trials.size(); ++i)
      if (trials[i].schedule == schedule && trials[i].rejected.empty())
        return int(i);
    return -1;
  };
  return normforge::finalists(shapes.size(),
                              [&](size_t s, size_t count) { return leaders(compare(known, question, shapes[s]), index_of, count); });
}

void Trials::time(const Problem &shape, const std::vector<size_t> &entrants, bool confirms, double seconds) {
  std::vector<size_t> all{0};
  all.insert(all.end(), entrants.begin(), entrants.end());
  std::vector<Entry> entries;
  for (size_t i : all)
    entries.push_back({key(shape, trials[i]), &trials[i].kernel, trials[i].same_bits, trials[i].deviation});
  const MeasureOptions how{.machine = options.machine,
                           .seed = options.seed,
                           .seconds = seconds,
                           .rounds = confirms ? options.confirm_rounds : options.search_rounds,
                           .confirms = confirms,
                           .pin = options.pin,
                           .silence_seconds = options.limit_seconds};
  std::vector<Record> records = timed_records(question, target, shape, entries, how, [](int) {}, nullptr);
  for (size_t i = 0; i < all.size(); ++i)
    trials[all[i]].rejected = records[i].rejected;
  keep(shape, telling(std::move(records)));
}

} // namespace normforge
