#include "autotune/verify.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "autotune/candidates.h"
#include "autotune/machine.h"
#include "autotune/measure.h"
#include "autotune/search.h"
#include "autotune/superseded.h"
#include "autotune/workload.h"
#include "codegen/hash.h"
#include "dsl/error.h"

namespace normforge {
namespace {

constexpr int kRounds = 15; ///< as many as a quick search confirms with

const LogRatio &best_known(const Standing &standing) { return standing.confirmed.pairs ? standing.confirmed : standing.search; }

class Verifier {
public:
  Verifier(const Database &database, const Problem &problem, const VerifyOptions &options, const Machine &machine,
           const std::function<void(std::string_view)> &progress, const std::function<bool()> &stop)
      : database(database), options(options), machine(machine), progress(progress), stop(stop), plan(make_sweep_plan(problem)),
        space(space_of(plan, *options.target, backend_for(*options.target), false)),
        question(question_for(problem, *options.target, space.backend, options.threads, fingerprint(machine.device()))),
        candidates(space, options.cache, options.jobs, options.threads, &machine),
        result{problem, question.default_schedule, 0, 0, {}, {}} {}

  Verification run() {
    collect();
    if (!records.empty())
      check_code();
    if (!records.empty())
      pass_gate_again();
    if (!stop())
      time_some();
    return std::move(result);
  }

private:
  const Database &database;
  const VerifyOptions &options;
  const Machine &machine;
  const std::function<void(std::string_view)> &progress;
  const std::function<bool()> &stop;
  SweepPlan plan;
  Space space;
  Question question;
  Candidates candidates;
  Verification result;
  std::vector<const Record *> records; ///< that have held so far

  void collect() {
    std::map<std::string, bool> within; // by problem text
    for (const auto &[key, record] : database.records()) {
      if (key.target != question.target || key.norm != hash_text(plan.problem.norm->hash))
        continue;
      const auto [at, added] = within.try_emplace(key.problem);
      if (added)
        if (const auto problem = known_problem(key, options.directory))
          at->second = lies_within(*problem, plan.problem);
      if (!at->second)
        continue;
      if (key.compiler == question.compiler && key.device == question.device)
        records.push_back(&record);
      else
        ++result.elsewhere;
    }
    result.records = int(records.size());
  }

  /// Takes those out of `records` for which why() has words.
  void break_where(const std::function<std::string(const Record &)> &why) {
    std::erase_if(records, [&](const Record *record) {
      std::string text = why(*record);
      if (!text.empty())
        result.broken.push_back({record->key, text});
      return !text.empty();
    });
  }

  void check_code() {
    progress("compiling");
    Database mine;
    for (const Record *record : records)
      mine.add(*record);
    const EmittedCode codes = emitted_code(mine, std::span(&plan.problem, 1), options.directory, KernelCache(options.cache), options.jobs);
    break_where([&](const Record &record) { return superseded(record.key, codes, options.directory); });
  }

  void pass_gate_again() {
    std::set<std::string> texts;
    for (const Record *record : records)
      if (!record->key.code.empty())
        texts.insert(record->key.schedule);
    std::vector<Schedule> schedules{space.start};
    for (const std::string &text : texts)
      schedules.push_back(parse_schedule(text, space.backend.knobs(), space.start));
    candidates.add(schedules, {}, options.limit_seconds, [&](std::string_view doing, int) { progress(doing); }, stop);
    std::map<std::string, const Verdict *> verdicts; // by code: schedules of one code are one candidate
    for (size_t i = 0; i < candidates.size(); ++i)
      verdicts[hash_text(candidates[i].kernel.code_hash)] = &candidates[i].verdict;
    const std::string question_text = to_text(plan.problem);
    break_where([&](const Record &record) -> std::string {
      const auto found = verdicts.find(record.key.code);
      if (found == verdicts.end() || stop())
        return "";
      const std::string &now = found->second->rejected;
      if (record.rejected.empty())
        return now;
      const bool by_gate = record.key.problem == question_text && record.rejected.starts_with("gate: ");
      return by_gate && now.empty() ? "passes the gate now; was rejected, " + record.rejected : "";
    });
  }

  void time_some() {
    std::vector<const Record *> measured;
    for (const Record *record : records)
      if (record->rejected.empty() && record->key.schedule != question.default_schedule &&
          std::ranges::any_of(record->samples, [&](const Samples &samples) { return samples.threads == options.threads; }))
        measured.push_back(record);
    std::mt19937_64 random(options.seed);
    std::ranges::shuffle(measured, random);
    std::ranges::partition(measured, [&](const Record *record) { // what choices were made by comes first
      return std::ranges::any_of(record->samples, &Samples::confirms);
    });
    for (const Record *record : measured) {
      if (int(result.retimed.size()) >= options.sample || stop())
        return;
      time(*record);
    }
  }

  void time(const Record &record) {
    progress("measuring");
    const Problem shape = parse_problem(record.key.problem, "database", options.directory);
    const ShapeResult before = compare(database, question, shape);
    const Standing *standing = before.find(record.key.schedule);
    if (!standing || best_known(*standing).pairs < kLeastPairs)
      return;
    const int index = candidates.find(record.key.schedule);
    if (index <= 0)
      return;
    const Candidate *pair[] = {&candidates[0], &candidates[size_t(index)]};
    const Kernel *kernels[] = {&pair[0]->kernel, &pair[1]->kernel};
    const bool same_bits = pair[0]->schedule.numerics == pair[1]->schedule.numerics;
    MeasureOptions how{.machine = &machine, .threads = options.threads, .seed = options.seed, .rounds = kRounds, .confirms = true};
    how.rotation_bytes = rotation_bytes(parse_fingerprint(question.device).cache);
    how.silence_seconds = options.limit_seconds;
    const std::vector<Timings> timings = measure(plan.problem, *options.target, shape, kernels, {true, same_bits}, how, [](int) {}, stop);
    if (!timings[1].rejected.empty())
      return result.broken.push_back({record.key, timings[1].rejected});
    Database fresh;
    for (size_t i = 0; i < 2; ++i) {
      Record sampled{record.key, "", 0, timings[i].samples};
      sampled.key.schedule = pair[i]->text;
      std::ranges::sort(sampled.samples);
      fresh.add(std::move(sampled));
    }
    const ShapeResult after = compare(fresh, question, shape);
    const Standing *again = after.find(record.key.schedule);
    if (!again || again->confirmed.pairs < kLeastPairs)
      return; // stopped
    Retimed retimed{record.key, best_known(*standing), again->confirmed, after.noise, true};
    retimed.holds = agree(retimed.recorded, before.noise, retimed.now, after.noise);
    result.retimed.push_back(std::move(retimed));
  }
};

} // namespace

bool agree(const LogRatio &recorded, double recorded_noise, const LogRatio &now, double noise) {
  const double slack = recorded_noise + noise + std::log1p(kWithin);
  return now.lo <= recorded.hi + slack && recorded.lo <= now.hi + slack;
}

Verification verify(const Database &database, const Problem &problem, const VerifyOptions &options,
                    const std::function<void(std::string_view)> &progress, const std::function<bool()> &stop) {
  return Verifier(database, problem, options, machine_for(*options.target), progress, stop).run();
}

} // namespace normforge
