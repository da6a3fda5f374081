// What every code generator offers. autotune/, package/ and cli/ see backends through this alone.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "codegen/kernel.h"
#include "codegen/schedule.h"
#include "codegen/sweep_plan.h"
#include "codegen/target.h"

namespace normforge {

/// Text of the stages between schedule and machine code, filled in where asked for.
struct StageText {
  std::string mlir, llvm, assembly;
};

class Backend {
public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  virtual std::span<const Knob> knobs() const = 0;

  /// Lengths of rows that have a numerics half each (package/run_bands.h), shortest first and none left out; empty: all have the same.
  virtual std::span<const Extent> run_bands() const { return {}; }

  /// A schedule that is good unmeasured, from the cost model. The numerics half depends only on norm, reduced extents, memory order and
  /// dtypes, and is the same for all rows of a band.
  virtual Schedule default_schedule(const SweepPlan &, const Target &) const = 0;

  /// The mapping half of such a schedule under another numerics half, with what is settled of it. It may not be applicable.
  virtual Mapping mapping_under(const SweepPlan &plan, const Target &target, const Numerics &, const MappingChoices &settled) const {
    return with_choices(default_schedule(plan, target).mapping, settled);
  }

  /// Why `schedule` cannot serve `plan` on `target` (where · got · expected · remedy), or nullopt when it can.
  virtual std::optional<std::string> inapplicable(const SweepPlan &, const Schedule &, const Target &) const = 0;

  /// Compiles. The entry points are called `symbol`, `symbol`_1, … (one per step). Throws UserError with the reason of inapplicable().
  virtual Kernel compile(const SweepPlan &, const Schedule &, const Target &, const std::string &symbol,
                         StageText *text = nullptr) const = 0;
};

/// The default schedule with another numerics half, and with what is settled of its mapping. Where the rest cannot serve beside those, as
/// few knobs as possible have their neutral values. It is applicable if any such schedule is.
Schedule default_schedule(const Backend &, const SweepPlan &, const Target &, const Numerics &, const MappingChoices &settled = {});

/// All backends, and the one that serves a target.
std::span<const Backend *const> backends();
const Backend &backend_for(const Target &);

/// The schedule that a text asks for: what it does not say is the default beside what it says. Throws UserError when it is no schedule, or
/// cannot apply; names a value that could, if one knob of the text stands in the way.
Schedule schedule_for(const SweepPlan &, const Target &, std::string_view text);

} // namespace normforge
