#include "autotune/settled_numerics.h"

#include "autotune/bands.h"
#include "codegen/package/run_bands.h"

namespace normforge {

void SettledNumerics::apply(Question &question) const {
  const auto settled = halves.find(to_text(band_of(question.problem, find_target(question.target))));
  if (settled == halves.end())
    return;
  question.default_schedule.replace(0, question.default_schedule.find(" |"), settled->second);
  question.numerics = false;
}

void SettledNumerics::learn(const Question &question, const Answer &answer) {
  if (question.numerics)
    halves.emplace(to_text(band_of(question.problem, find_target(question.target))), numerics_half(answer.bands.front().schedule));
}

} // namespace normforge
