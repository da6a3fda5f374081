// normforge run: one call of a norm on arrays in .npy files. The kernel is compiled for the arrays' extents and called through the runtime
// that ships in libraries; outputs appear all together, once all of it has gone well.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <optional>
#include <set>

#include "cli/bound_call.h"
#include "cli/choice.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "codegen/compiled_call.h"
#include "codegen/emulator.h"
#include "codegen/gpu_call.h"
#include "codegen/package/files.h"
#include "dsl/error.h"
#include "llvm/Support/JSON.h"

namespace normforge::cli {
namespace {

struct Options {
  std::string norm, device = "cpu", target, schedule;
  std::vector<std::string> in, out, set, bind, dtype, axes;
  int threads = 0;
  bool time = false, json = false, reference = false;
};

std::map<std::string, std::string> assignments(const std::string &flag, const std::vector<std::string> &texts) {
  std::map<std::string, std::string> values;
  for (const std::string &text : texts) {
    auto [name, value] = split_assignment(flag, text);
    if (!values.emplace(name, value).second)
      throw UserError(flag + " " + text + ": '" + name + "' is given twice");
  }
  return values;
}

CallWords words_of(const Options &options) {
  CallWords words{options.norm,
                  assignments("--in", options.in),
                  assignments("--out", options.out),
                  assignments("--bind", options.bind),
                  assignments("--dtype", options.dtype),
                  assignments("--axes", options.axes),
                  assignments("--set", options.set)};
  if (words.outputs.empty())
    throw UserError("nothing to write: name an output and its file, such as --out y=y.npy");
  std::set<std::string> files;
  for (const auto &[name, file] : words.outputs)
    if (!files.insert(file).second)
      throw UserError("--out " + name + "=" + file + ": the file is named twice");
  return words;
}

std::vector<OutputFile> output_files(const BoundCall &call, const CallWords &words) {
  std::vector<OutputFile> files;
  for (const auto &[name, path] : words.outputs) {
    const int index = call.program().tensor_named(name);
    files.push_back({path, npy_file(*call.problem.dtypes[size_t(index)], call.binding.shape(index), call.memory[size_t(index)].data())});
  }
  return files;
}

/// Median seconds per call over samples of at least a millisecond: sample(n) makes n calls and returns their seconds.
double seconds_per_call(const std::function<double(int)> &sample) {
  constexpr double kLeast = 1e-3;
  constexpr int kMostCalls = 1 << 20;
  int calls = 1;
  while (sample(calls) < kLeast && calls < kMostCalls)
    calls *= 2;
  std::array<double, 15> samples;
  std::ranges::generate(samples, [&] { return sample(calls) / calls; });
  std::ranges::nth_element(samples, samples.begin() + samples.size() / 2);
  return samples[samples.size() / 2];
}

llvm::json::Object describe_outputs(const BoundCall &call, const CallWords &words) {
  llvm::json::Object outputs;
  for (const auto &[tensor, path] : words.outputs) {
    const int index = call.program().tensor_named(tensor);
    outputs[tensor] = llvm::json::Object{{"file", path},
                                         {"dtype", std::string(name(*call.problem.dtypes[size_t(index)]))},
                                         {"shape", llvm::json::Array(call.binding.shape(index))}};
  }
  return outputs;
}

constexpr std::string_view kEmulatedTarget = "sm_90"; ///< where no --target says otherwise

constexpr std::string_view kGpu = "cuda:"; ///< and its number

/// The GPU's number; nullopt: no GPU is meant.
std::optional<int> gpu_of(const std::string &device) {
  if (!device.starts_with(kGpu))
    return std::nullopt;
  int number = -1;
  const char *end = device.data() + device.size();
  if (const auto read = std::from_chars(device.data() + kGpu.size(), end, number); read.ec != std::errc() || read.ptr != end || number < 0)
    throw UserError("--device " + device + ": expected the number of a GPU, such as cuda:0");
  return number;
}

/// What that GPU runs best.
const Target &target_of_gpu(int gpu) {
  try {
    return gpu_target(gpu);
  } catch (const NoGpu &error) {
    throw UserError(std::string(error.what()) + "; give --device emulator to run a GPU's kernel without one");
  }
}

/// What the kernel is compiled for: on the emulator, a GPU.
const Target &target_of(const Options &options, std::optional<int> gpu) {
  const bool emulated = options.device == "emulator";
  if (!gpu && !emulated && options.device != "cpu")
    throw UserError("--device " + options.device + ": expected cpu, emulator, or a GPU such as cuda:0");
  const Target &target = !options.target.empty() ? find_target(options.target)
                         : gpu                   ? target_of_gpu(*gpu)
                         : emulated              ? find_target(kEmulatedTarget)
                                                 : host_target();
  if ((emulated || gpu) != target.gpu())
    throw UserError("--target " + std::string(target.name) +
                    (emulated ? ": the emulator runs GPU kernels; give one such as sm_90, or leave it out"
                     : gpu    ? ": " + options.device + " is a GPU; give a target such as sm_90, or leave it out"
                              : ": no GPU is used here; give --device cuda:0 or --device emulator, or another target"));
  return target;
}

/// Calls on the GPU; returns what times it.
std::function<double(int)> run_on_gpu(BoundCall &call, const SweepPlan &plan, const Schedule &schedule, const Target &target, int gpu) {
  const auto compiled = std::make_shared<GpuCall>(plan, schedule, target, gpu);
  compiled->bind(call.binding.extents, call.tensors, call.scalars);
  compiled->run();
  return [compiled](int calls) { return compiled->time(calls); };
}

/// The same on the CPU, where the emulator may stand in for a GPU.
std::function<double(int)> run_on_cpu(BoundCall &call, const SweepPlan &plan, const Schedule &schedule, const Target &target, int threads) {
  const auto compiled = target.gpu() ? std::make_shared<CompiledCall>(plan.problem, host_target(),
                                                                      compile_for_emulator(plan, schedule, target, plan.program().name))
                                     : std::make_shared<CompiledCall>(plan, schedule, target);
  compiled->bind(call.binding.extents, call.tensors, call.scalars);
  compiled->run(target.gpu() ? 1 : threads);
  if (const std::string fault = take_emulator_fault(); !fault.empty())
    throw UserError("emulator: " + fault);
  return [compiled, threads](int calls) {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    for (int i = 0; i < calls; ++i)
      compiled->run(threads);
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
}

void run(const Options &options) {
  const CallWords words = words_of(options);
  const std::optional<int> gpu = gpu_of(options.device);
  const Target &target = target_of(options, gpu);
  BoundCall call = bind_call(words);
  llvm::json::Object report{{"problem", to_text(call.problem)}, {"outputs", describe_outputs(call, words)}};
  if (options.reference) {
    run_reference(call);
    write_files(output_files(call, words));
  } else {
    const SweepPlan plan = make_sweep_plan(call.problem);
    const Schedule schedule = schedule_for(plan, target, options.schedule);
    const auto timed = gpu ? run_on_gpu(call, plan, schedule, target, *gpu) : run_on_cpu(call, plan, schedule, target, options.threads);
    write_files(output_files(call, words));
    report["target"] = std::string(target.name);
    report["schedule"] = to_text(schedule, backend_for(target).knobs());
    if (options.time) {
      const double seconds = seconds_per_call(timed);
      report["seconds"] = seconds;
      if (!options.json)
        print(std::to_string(seconds * 1e6) + " us per call\n");
    }
  }
  if (options.json)
    print_json(llvm::json::Value(std::move(report)));
}

} // namespace

void add_run(CLI::App &program) {
  CLI::App *verb = program.add_subcommand("run", "Run a norm on arrays in .npy files");
  verb->footer("Examples:\n"
               "  normforge run layer_norm --in x=x.npy --in gamma=g.npy --set eps=1e-5 --out y=y.npy --out mean=m.npy\n"
               "  normforge run my_norm.norm --in x=x.npy --out y=y.npy --bind cols=768\n"
               "  normforge run group_norm --in x=x.npy --out y=y.npy --bind group=8 --axes x=batch,space,channel\n"
               "  normforge run rms_norm --in x=x.npy --dtype x=bf16 --out y=y.npy --target x86-64-v3 --schedule 'rows=2' --time\n"
               "  normforge run softmax --in x=x.npy --out y=y.npy --device cuda:0\n"
               "  normforge run softmax --in x=x.npy --out y=y.npy --device emulator --target sm_80\n"
               "  normforge run batch_norm_train --in x=x.npy --in running_mean=m.npy --in running_var=v.npy --out y=y.npy\n"
               "      --out running_mean=m.npy --out running_var=v.npy\n"
               "Extents come from the arrays; what they leave open, --bind says. An array holds f8, f4, f2, or bf16 as 2-byte\n"
               "integers with --dtype; lengths are i4. What a norm does not write, past a ragged length, is zero (NaN\n"
               "with --reference).");
  auto options = std::make_shared<Options>();
  const auto repeated = [&](const char *flag, std::vector<std::string> &values, const char *type, const char *help) {
    verb->add_option(flag, values, help)->type_name(type)->allow_extra_args(false);
  };
  verb->add_option("NORM", options->norm, "A built-in norm, a .norm file, or FILE.norm:NAME where it holds several")
      ->type_name("")
      ->required();
  repeated("--in", options->in, "TENSOR=FILE", "An input, a tensor updated in place, or lengths");
  repeated("--out", options->out, "TENSOR=FILE", "An output that is wanted, or a tensor updated in place");
  repeated("--set", options->set, "SCALAR=NUMBER", "The value of a scalar");
  repeated("--bind", options->bind, "AXIS=EXTENT", "The extent of an axis, or AxB of a pack");
  repeated("--dtype", options->dtype, "TENSOR=DTYPE", "f64, f32, bf16, f16; i8 and f8e4m3 for outputs");
  repeated("--axes", options->axes, "TENSOR=AXES", "Memory order, outermost first, where it isn't the declared one");
  auto *target =
      verb->add_option("--target", options->target,
                       "x86-64-v2 to x86-64-v4, or on a GPU or the emulator sm_80 to sm_90; without it, the best that the device runs")
          ->type_name("TARGET");
  auto *device = verb->add_option("--device", options->device,
                                  "cpu; cuda:0, a GPU by its number; or emulator: a GPU's kernel, its threads run one at a time on the CPU")
                     ->type_name("DEVICE");
  auto *schedule = verb->add_option("--schedule", options->schedule,
                                    "Choices of the schedule; the default makes the others beside them (see normforge show --knobs)")
                       ->type_name("CHOICES");
  verb->add_option("--threads", options->threads, "At most so many; 0: one per CPU")->type_name("N")->check(CLI::NonNegativeNumber);
  auto *time = verb->add_flag("--time", options->time, "Time the call: the median of 15 samples of at least 1 ms");
  verb->add_flag("--json", options->json, "Print what ran: problem, schedule, target, outputs");
  verb->add_flag("--reference", options->reference, "Evaluate in f64, slowly, in place of a kernel")
      ->excludes(device, target, schedule, time);
  verb->callback([options] { run(*options); });
}

} // namespace normforge::cli
