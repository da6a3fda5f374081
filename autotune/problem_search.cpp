#include "autotune/problem_search.h"

#include <algorithm>
#include <set>

#include "autotune/borders.h"
#include "autotune/candidates.h"
#include "autotune/clock.h"
#include "autotune/finalists.h"
#include "autotune/shapes.h"
#include "autotune/timed_records.h"
#include "codegen/hash.h"

namespace normforge {
namespace {

constexpr int kMostPasses = 4; ///< over what is still undecided, while there is time

/// One problem on its way.
class ProblemSearch {
public:
  ProblemSearch(const Question &question, const SearchOptions &options, const Machine &machine, Database &known, double seconds,
                Progress progress, const ShowProgress &show, const std::function<bool()> &stop)
      : options(options), machine(machine), effort(plan_of(options.effort)), known(known), begin(now()), end(begin + seconds),
        plan(make_sweep_plan(question.problem)), space(space_from(question)), question(question), shapes(measured_shapes(question.problem)),
        candidates(space, options.cache, options.jobs, options.threads, &machine), state(std::move(progress)), show(show), stop(stop) {
    state.text = to_text(question.problem);
    state.shapes = int(shapes.size());
  }

  SearchResult run() {
    SearchResult result{plan.problem, question, {}, {}, true};
    if (effort.waves > 0) {
      explore();
      result.complete = confirm();
    }
    result.answer = choose(known, question);
    if (result.complete)
      result.entries = lock_entries(result.answer, question);
    return result;
  }

private:
  const SearchOptions &options;
  const Machine &machine;
  const EffortPlan &effort;
  Database &known;
  double begin, end;
  SweepPlan plan;
  Space space;
  Question question;
  std::vector<Problem> shapes;
  Candidates candidates;
  Progress state;
  const ShowProgress &show;
  const std::function<bool()> &stop;

  /// Around the default, which may have another numerics half than it has by itself.
  Space space_from(const Question &question) const {
    Space space = space_of(plan, *options.target, *options.backend, question.numerics);
    space.start = parse_schedule(question.default_schedule, options.backend->knobs(), space.start);
    return space;
  }

  double search_end() const { return begin + (end - begin) * kSearchShare; }
  std::function<bool()> stop_at(double time) const {
    return [this, time] { return now() > time || (stop && stop()); };
  }

  void report(std::string_view doing) {
    state.doing = doing;
    state.tried = int(candidates.size());
    if (show)
      show(state);
  }

  RecordKey key(const Problem &of, const Candidate &candidate) const {
    return {hash_text(plan.problem.norm->hash),
            to_text(of),
            std::string(options.target->name),
            candidate.text,
            candidate.kernel.object.empty() ? "" : hash_text(candidate.kernel.code_hash),
            question.compiler,
            question.device};
  }

  /// Into the file first, then into what is known.
  void keep(const std::vector<Record> &records) {
    if (records.empty())
      return;
    append_records(options.database, records);
    for (const Record &record : records)
      known.add(record);
  }

  void count_rejection(const std::string &why) { ++state.rejected[why.substr(0, why.find(':'))]; }

  /// What the gate has said before, as the database has it.
  std::map<std::pair<std::string, std::string>, Verdict> known_verdicts() const {
    std::map<std::pair<std::string, std::string>, Verdict> verdicts;
    if (!options.resume)
      return verdicts;
    const std::string norm = hash_text(plan.problem.norm->hash);
    std::set<std::string> mine{to_text(plan.problem)};
    for (const Problem &shape : shapes)
      mine.insert(to_text(shape));
    for (const auto &[key, record] : known.records())
      if (key.norm == norm && mine.contains(key.problem) && key.target == options.target->name && key.compiler == question.compiler &&
          key.device == question.device)
        verdicts.try_emplace({key.schedule, key.code}, Verdict{record.rejected, record.deviation});
    return verdicts;
  }

  /// Compiles and checks; what is rejected becomes a Record of the whole problem.
  std::vector<size_t> add(const std::vector<Schedule> &schedules) {
    const auto progress = [&](std::string_view doing, int count) {
      state.alive = count;
      report(doing);
    };
    state.shape = 0; // of no shape in particular
    const std::vector<size_t> fresh =
        candidates.add(schedules, known_verdicts(), options.limit_seconds, progress, stop_at(candidates.size() ? search_end() : end));
    std::vector<Record> rejections;
    std::vector<size_t> passed;
    if (const std::string doubt = candidates.doubt(); !doubt.empty() && options.warn && candidates.size() == fresh.size())
      options.warn(doubt); // once: of the first wave
    for (size_t i : fresh) {
      const Candidate &candidate = candidates[i];
      if (candidate.verdict.rejected.empty()) {
        passed.push_back(i);
        continue;
      }
      count_rejection(candidate.verdict.rejected);
      rejections.push_back({key(plan.problem, candidate), candidate.verdict.rejected, 0, {}});
    }
    keep(rejections);
    return passed;
  }

  bool has_samples(const Problem &shape, size_t candidate) const {
    const Record *record = known.find(key(shape, candidates[candidate]));
    return record && std::ranges::any_of(record->samples, [&](const Samples &samples) { return samples.threads == options.threads; });
  }

  /// Times candidates at a shape, beside the default, and keeps what came of it.
  void time(const Problem &shape, const std::vector<size_t> &entrants, bool confirms, double seconds) {
    std::vector<size_t> all{0};
    for (size_t i : entrants)
      if (i != 0 && candidates[i].verdict.rejected.empty())
        all.push_back(i);
    std::vector<Entry> entries;
    for (size_t i : all)
      entries.push_back({key(shape, candidates[i]), &candidates[i].kernel,
                         candidates[i].schedule.numerics == candidates[0].schedule.numerics, candidates[i].verdict.deviation});
    const MeasureOptions how{.machine = &machine,
                             .seed = options.seed,
                             .seconds = seconds,
                             .rounds = confirms ? effort.confirm_rounds : effort.search_rounds,
                             .confirms = confirms,
                             .pin = options.pin,
                             .silence_seconds = options.limit_seconds};
    const auto progress = [&](int alive) {
      state.alive = alive;
      report(confirms ? "confirming" : "measuring");
    };
    // A stage that ran out of time ends by itself; what does not is stopped a while later.
    const std::vector<Record> records =
        telling(timed_records(question, *options.target, shape, entries, how, progress, stop_at(std::max(now() + seconds, end) + 2)));
    for (const Record &record : records)
      if (!record.rejected.empty())
        count_rejection(record.rejected);
    keep(records);
    const ShapeResult result = compare(known, question, shape);
    state.noise = result.noise;
    state.best = {};
    state.leader = question.default_schedule;
    if (result.standings.size() > 1) {
      const Standing &first = result.standings[1];
      state.best = first.confirmed.pairs ? first.confirmed : first.search;
      if (state.best.value < 0)
        state.leader = first.schedule;
    }
    report(state.doing);
  }

  /// The best candidates at a shape, by what a search has seen of them; the default is one of them where nothing is faster.
  std::vector<size_t> leaders(const Problem &shape, size_t count) const {
    return normforge::leaders(
        compare(known, question, shape), [&](const std::string &schedule) { return candidates.find(schedule); }, count);
  }

  void explore() {
    std::vector<Schedule> first = options.effort == Effort::exhaustive ? all_schedules(space) : neighbours(space, space.start);
    std::erase(first, space.start);
    first.insert(first.begin(), space.start);
    std::vector<std::vector<size_t>> entrants(shapes.size(), add(first)); // by shape
    std::vector<std::set<size_t>> centers(shapes.size());                 // whose neighbours were tried
    for (auto &tried : centers)
      tried.insert(0);
    for (int wave = 0;; ++wave) {
      if (candidates.size() == 0 || !candidates[0].verdict.rejected.empty())
        return;
      measure_wave(entrants);
      if (wave + 1 >= effort.waves || stop_at(search_end())())
        return;
      // Schedules by shape, then compiled all together.
      std::vector<std::vector<Schedule>> wanted(shapes.size());
      std::vector<Schedule> all;
      for (size_t s = 0; s < shapes.size(); ++s) {
        int more = effort.centers;
        for (size_t leader : leaders(shapes[s], size_t(effort.leaders)))
          if (more > 0 && centers[s].insert(leader).second) {
            --more;
            for (const Schedule &schedule : neighbours(space, candidates[leader].schedule))
              wanted[s].push_back(schedule), all.push_back(schedule);
          }
      }
      if (all.empty())
        return;
      add(all);
      for (size_t s = 0; s < shapes.size(); ++s) {
        entrants[s].clear();
        for (const Schedule &schedule : wanted[s])
          if (const int i = candidates.find(to_text(schedule, space.backend.knobs())); i >= 0)
            entrants[s].push_back(size_t(i));
      }
    }
  }

  void measure_wave(const std::vector<std::vector<size_t>> &entrants) {
    for (size_t s = 0; s < shapes.size(); ++s) {
      if (stop && stop())
        return;
      std::vector<size_t> fresh;
      for (size_t i : entrants[s])
        if (!(options.resume && has_samples(shapes[s], i)))
          fresh.push_back(i);
      if (std::ranges::all_of(fresh, [](size_t i) { return i == 0; }) && (options.resume && has_samples(shapes[s], 0)))
        continue;
      if (fresh.empty())
        continue;
      for (size_t i : leaders(shapes[s], 2)) // the best so far competes again
        if (std::ranges::find(fresh, i) == fresh.end())
          fresh.push_back(i);
      state.shape = int(s) + 1;
      time(shapes[s], fresh, false, (search_end() - now()) / double(shapes.size() - s));
    }
  }

  /// Measures the best of every shape afresh at every shape. Whether all of it was done.
  bool confirm() {
    if (candidates.size() == 0 || !candidates[0].verdict.rejected.empty())
      return false;
    const std::vector<size_t> finalists =
        normforge::finalists(shapes.size(), [&](size_t s, size_t count) { return leaders(shapes[s], count); });
    std::vector<size_t> open; // shapes to measure at
    for (size_t s = 0; s < shapes.size(); ++s)
      if (!(options.resume && confirmed(shapes[s], finalists)))
        open.push_back(s);
    for (int pass = 0; pass < kMostPasses && !open.empty(); ++pass) {
      for (size_t i = 0; i < open.size(); ++i) {
        state.shape = int(open[i]) + 1;
        time(shapes[open[i]], finalists, true, std::max(kLeastSeconds, (end - now()) / double(open.size() - i)));
        if (stop && stop())
          return pass > 0;
        if (now() > (pass ? end : end + 2))
          return pass > 0 || i + 1 == open.size();
      }
      std::erase_if(open, [&](size_t s) { return decided(compare(known, question, shapes[s])); });
    }
    measure_borders(known, question, stop_at(end), [&](const Problem &shape, size_t left) {
      time(shape, finalists, true, std::max(kLeastSeconds, (end - now()) / double(left)));
    });
    return true;
  }

  bool confirmed(const Problem &shape, const std::vector<size_t> &finalists) const {
    const ShapeResult result = compare(known, question, shape);
    return std::ranges::all_of(finalists, [&](size_t i) {
      const Standing *standing = result.find(candidates[i].text);
      return standing && standing->confirmed.pairs >= kLeastPairs;
    });
  }
};

} // namespace

SearchResult search_problem(const Question &question, const SearchOptions &options, const Machine &machine, Database &known, double seconds,
                            Progress progress, const ShowProgress &show, const std::function<bool()> &stop) {
  return ProblemSearch(question, options, machine, known, seconds, std::move(progress), show, stop).run();
}

} // namespace normforge
