// normforge show: a norm or a problem at each stage on its way to machine code.
#include "cli/choice.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "codegen/inner_loops.h"
#include "codegen/package/files.h"
#include "codegen/package/run_bands.h"
#include "codegen/resources.h"
#include "dsl/error.h"

namespace normforge::cli {
namespace {

struct Options {
  std::vector<std::string> words; ///< of a problem's text
  std::string stage = "norm", after, target, schedule, output;
  bool passes = false, knobs = false;
};

/// What the options name, made as far as the stage wants it.
class Request {
public:
  explicit Request(const Options &options) : options_(options) {
    find_norm(options.words.front()); // first, so that diagnostics of its file stand alone
    problem_ = parse_problem(joined(options.words, " "));
  }

  std::string norm() const {
    if (options_.after.empty())
      return problem_.norm->text;
    check_name("pass", options_.after, specialize_passes());
    std::string text;
    specialize(problem_, [&](std::string_view pass, std::string_view dialect) {
      if (pass == options_.after)
        text = dialect;
    });
    return text;
  }

  std::string sweeps() const {
    const SweepPlan plan = make_sweep_plan(problem_);
    return to_text(plan, schedule_for(plan, target(), options_.schedule).numerics.algorithm == Numerics::chunked);
  }

  /// A line for each part that a library has kernels of its own for.
  std::string schedule() const {
    std::string text;
    const std::vector<Problem> parts = in_bands({problem_}, target());
    for (const Problem &part : parts)
      text += (parts.size() > 1 ? to_text(part) + ": " : "") +
              to_text(schedule_for(make_sweep_plan(part), target(), options_.schedule), backend_for(target()).knobs()) + "\n";
    return text;
  }

  StageText compiled() const {
    StageText text;
    compile(&text);
    return text;
  }

  std::string resources() const { return to_table(resources_of(compile(nullptr), target())); }

  const Target &target() const { return chosen_target(options_.target); }

private:
  Kernel compile(StageText *text) const {
    check_is_one_part(problem_, target(), "has a kernel of its own");
    const SweepPlan plan = make_sweep_plan(problem_);
    const Schedule schedule = schedule_for(plan, target(), options_.schedule);
    return backend_for(target()).compile(plan, schedule, target(), problem_.norm->program.name, text);
  }

  const Options &options_;
  Problem problem_;
};

struct Stage {
  std::string_view name, backend; ///< the only backend that has it; empty: all do
  std::string (*text)(const Request &);
};

constexpr Stage kStages[] = {
    {"norm", "", [](const Request &request) { return request.norm(); }},
    {"sweeps", "", [](const Request &request) { return request.sweeps(); }},
    {"schedule", "", [](const Request &request) { return request.schedule(); }},
    {"mlir", "", [](const Request &request) { return request.compiled().mlir; }},
    {"llvm", "", [](const Request &request) { return request.compiled().llvm; }},
    {"loops", "x86", [](const Request &request) { return loop_table(request.compiled().assembly); }},
    {"asm", "x86", [](const Request &request) { return request.compiled().assembly; }},
    {"ptx", "cuda", [](const Request &request) { return request.compiled().assembly; }},
    {"resources", "cuda", [](const Request &request) { return request.resources(); }},
};

const Stage &stage_named(const std::string &name) {
  std::vector<std::string> names;
  for (const Stage &stage : kStages) {
    if (stage.name == name)
      return stage;
    names.emplace_back(stage.name);
  }
  throw UserError(unknown_name("stage", name, names));
}

std::vector<std::string> targets_of(std::string_view backend) {
  std::vector<std::string> names;
  for (const Target &target : targets())
    if (target.backend == backend)
      names.emplace_back(target.name);
  return names;
}

std::string shown(const Options &options) {
  if (options.passes)
    return joined(specialize_passes(), "\n");
  if (options.knobs)
    return describe_knobs(backend_for(chosen_target(options.target)).knobs());
  if (options.words.empty())
    throw UserError("show what? give a norm, or a problem such as: layer_norm rows=512 cols=768; see 'normforge show --help'");
  if (!options.after.empty() && options.stage != "norm")
    throw UserError("--after shows a pass over the norm; it does not go with --stage=" + options.stage);
  const Stage &stage = stage_named(options.stage);
  const Request request(options);
  if (!stage.backend.empty() && stage.backend != request.target().backend)
    throw UserError("--stage=" + options.stage + ": " + std::string(request.target().name) + " has none; give --target, one of " +
                    joined(targets_of(stage.backend), ", "));
  return stage.text(request);
}

void show(const Options &options) {
  std::string text = shown(options);
  if (!text.ends_with('\n'))
    text += '\n';
  if (options.output.empty())
    print(text);
  else
    write_files({{options.output, std::move(text)}});
}

} // namespace

void add_show(CLI::App &program) {
  CLI::App *verb =
      program.add_subcommand("show", "Show a norm or a problem at a stage: norm, sweeps, schedule, mlir, llvm, loops, asm, ptx, resources");
  verb->footer("Examples:\n"
               "  normforge show layer_norm                                      its text\n"
               "  normforge show my_norm.norm --stage=sweeps                     its passes over the data\n"
               "  normforge show layer_norm rows=512 cols=768 --stage=schedule   the choices made for these extents\n"
               "  normforge show softmax cols=1000 x=bf16 --stage=asm --target x86-64-v3 -o softmax.s\n"
               "  normforge show rms_norm cols=4096 x=bf16 --stage=resources --target sm_90\n"
               "  normforge show --knobs                                         what a schedule may say\n"
               "  normforge show --passes                                        the rewrites of a norm, in order\n"
               "  normforge show layer_norm gamma=none --after fold-absent-inputs   the dialect after one of them");
  auto options = std::make_shared<Options>();
  verb->add_option("NORM", options->words, "A norm's name or file, then words of a problem: axis=extent, tensor=dtype, outputs=…")
      ->type_name("");
  verb->add_option("--stage", options->stage,
                   "norm (the default), sweeps, schedule, mlir, llvm, asm; loops: what the innermost ones execute; ptx or resources of a "
                   "GPU's kernel")
      ->type_name("STAGE");
  verb->add_option("--after", options->after, "With --stage=norm: the dialect after this pass")->type_name("PASS");
  verb->add_flag("--passes", options->passes, "List the passes that --after knows");
  verb->add_flag("--knobs", options->knobs, "List the choices that --schedule knows, with their values");
  verb->add_option("--target", options->target,
                   "x86-64-v2 to x86-64-v4, sm_80, sm_86, sm_89, sm_90; without it, the best that this machine runs")
      ->type_name("TARGET");
  verb->add_option("--schedule", options->schedule,
                   "Choices of the schedule, such as 'rows=2 store=stream'; the default makes the others beside them (see --knobs)")
      ->type_name("CHOICES");
  verb->add_option("-o,--output", options->output, "Write to a file instead")->type_name("FILE");
  verb->callback([options] { show(*options); });
}

} // namespace normforge::cli
