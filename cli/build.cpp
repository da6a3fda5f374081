// normforge build: a static library of kernels for the problems of a file.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>
#include <unistd.h>

#include "autotune/common_lock.h"
#include "autotune/locked_choices.h"
#include "cli/names.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "codegen/package/library.h"
#include "dsl/error.h"
#include "dsl/words.h"

namespace normforge::cli {
namespace {

struct BuildFlags {
  std::string problems, directory, name, targets = "x86-64-v2,x86-64-v3,x86-64-v4", cache, depfile, lock;
  std::vector<std::string> devices;
  int jobs = 0;
  std::string require;
  bool require_complete = false, no_lock = false, same_bits = false;
};

/// One line that is written over as kernels come in; nothing where nobody watches.
void show_progress(const CompileProgress &progress) {
  if (::isatty(STDERR_FILENO))
    std::fprintf(stderr, "\r\033[K%d of %d kernels, %d from the cache", progress.compiled + progress.cached, progress.kernels,
                 progress.cached);
}

void end_progress() {
  if (::isatty(STDERR_FILENO))
    std::fputs("\r\033[K", stderr);
}

/// What a build tool reads to know when the library is out of date: the rule of a makefile.
std::string dependencies(const std::string &library, const BuildFlags &flags, const std::vector<Problem> &problems) {
  const std::filesystem::path directory = std::filesystem::absolute(flags.problems).parent_path();
  std::set<std::string> files{std::filesystem::absolute(flags.problems)};
  if (!flags.lock.empty())
    files.insert(std::filesystem::absolute(flags.lock));
  for (const Problem &problem : problems) {
    const std::string &source = problem.norm->source;
    if (const size_t end = source.find(".norm"); end != source.npos)
      files.insert(directory / source.substr(0, end + 5));
  }
  const auto escaped = [](const std::string &path) {
    std::string text;
    for (char c : path)
      text += c == ' ' || c == '#' || c == '\\' ? std::string("\\") + c : c == '$' ? "$$" : std::string(1, c);
    return text;
  };
  std::string rule = escaped(library) + ":";
  for (const std::string &file : files)
    rule += " \\\n  " + escaped(file);
  return rule + "\n";
}

/// What the library is for: what was named, and with a lockfile of its own, this machine's CPU where none was.
std::vector<Device> devices_for(const BuildFlags &flags) {
  std::vector<Device> devices;
  for (const std::string &text : flags.devices) {
    devices.push_back(parse_fingerprint(text));
    if (std::ranges::count(devices, devices.back().gpu(), &Device::gpu) > 1)
      throw UserError("--device " + text + ": got two devices of a kind; name one CPU, one GPU, or both");
  }
  if (!flags.lock.empty() && std::ranges::all_of(devices, &Device::gpu))
    devices.push_back(this_device());
  return devices;
}

/// Takes choices away that were measured under another order of sums than the CPU's, which --same-bits gives to GPUs; tells of each.
void keep_same_bits(std::vector<KernelChoice> &choices, const std::vector<const Target *> &targets,
                    const std::function<void(const std::string &)> &note) {
  const Target *cpu = nullptr;
  for (const Target *target : targets)
    if (!target->gpu() && (!cpu || target->level > cpu->level))
      cpu = target;
  std::erase_if(choices, [&](const KernelChoice &choice) {
    if (!cpu || !choice.target->gpu())
      return false;
    const Numerics wanted = pinned_numerics(choice.problem, *cpu);
    if (choice.schedule.numerics == wanted)
      return false;
    note("'" + to_text(choice.problem) + "' for " + std::string(choice.target->name) +
         ": not used, the default serves: numerics half: locked for '" + to_text(choice.schedule.numerics) + "', --same-bits wants '" +
         to_text(wanted) + "'");
    return true;
  });
}

/// What the lockfile, or the one that comes with normforge, has for the problems; says on stderr what it has and cannot give.
std::vector<KernelChoice> choices_for(const std::vector<Problem> &problems, const std::vector<const Target *> &targets,
                                      const BuildFlags &flags) {
  const bool own = !flags.lock.empty();
  const std::string name = own ? flags.lock : "the lockfile of common sizes";
  const std::vector<Device> devices = devices_for(flags);
  const auto cpu = std::ranges::find(devices, false, &Device::gpu);
  LockedChoices locked =
      locked_choices(own ? parse_lockfile(read_file(flags.lock), flags.lock) : common_lockfile(cpu == devices.end() ? nullptr : &*cpu),
                     problems, targets, devices);
  for (const std::string &note : locked.notes)
    warn(name + ": " + note);
  if (flags.require_complete && !locked.missing.empty())
    throw UserError(name + ": has no schedule for all of " + joined(locked.missing, ", ") +
                    "; tune them, or leave out --require-complete for the default ones");
  if (flags.same_bits)
    keep_same_bits(locked.choices, targets, [&](const std::string &note) { warn(name + ": " + note); });
  if (!own) // nobody chose them: where a numerics half has changed since they were tuned, they are no reason to fail
    std::erase_if(locked.choices,
                  [](const KernelChoice &choice) { return choice.schedule.numerics != pinned_numerics(choice.problem, *choice.target); });
  return std::move(locked.choices);
}

/// The directory of the package, made before time is spent on kernels. It goes again with the object, and those above it that were made
/// for it, as far as nothing was put there.
class PackageDirectory {
public:
  explicit PackageDirectory(const std::string &path) {
    std::error_code failed;
    for (auto at = std::filesystem::absolute(path, failed); !at.empty() && !std::filesystem::exists(at, failed); at = at.parent_path())
      made.push_back(at);
    make_writable_directory(path);
  }
  PackageDirectory(const PackageDirectory &) = delete;
  ~PackageDirectory() {
    std::error_code not_empty;
    for (const std::filesystem::path &directory : made)
      std::filesystem::remove(directory, not_empty);
  }

private:
  std::vector<std::filesystem::path> made; ///< innermost first
};

void build(const BuildFlags &flags) {
  const std::vector<Problem> problems = parse_problems(read_file(flags.problems), flags.problems);
  LibraryOptions options{.name = flags.name,
                         .targets = parse_targets(flags.targets),
                         .cache = flags.cache.empty() ? default_cache_directory() : flags.cache,
                         .jobs = flags.jobs,
                         .same_bits = flags.same_bits,
                         .require_cubin = !flags.require.empty(),
                         .progress = show_progress};
  if (!flags.no_lock) {
    options.choices = choices_for(problems, options.targets, flags);
    options.schedules = flags.lock.empty() ? "common" : "lockfile";
  }
  check_library_name(flags.name);
  const PackageDirectory directory(flags.directory);
  Library library;
  try {
    library = make_library(problems, options);
  } catch (...) {
    end_progress();
    throw;
  }
  end_progress();
  if (!library.no_cubin.empty())
    warn("warning: " + library.no_cubin);
  for (OutputFile &file : library.files)
    file.path = (std::filesystem::path(flags.directory) / file.path).string();
  const OutputFile &archive = library.files.front();
  const std::string tuned = library.tuned == 0 ? ""
                                               : std::to_string(library.tuned) + " of them tuned" +
                                                     (flags.lock.empty() ? " by schedules that come with normforge, " : ", ");
  const std::string summary = archive.path + ": " + std::to_string(library.kernels.kernels) + " kernels (" +
                              std::to_string(library.kernels.compiled) + " compiled, " + std::to_string(library.kernels.cached) +
                              " from the cache), " + tuned + std::to_string((archive.bytes.size() + 1023) / 1024) + " KiB\n";
  if (!flags.depfile.empty())
    library.files.push_back({flags.depfile, dependencies(archive.path, flags, problems)});
  write_files(library.files);
  std::string functions;
  for (const std::string &function : library.functions)
    functions += "  " + flags.name + "_" + function + "\n";
  print(summary + functions);
}

} // namespace

void add_build(CLI::App &program) {
  CLI::App *verb = program.add_subcommand("build", "Build a static library of kernels: archive, C header, CMake package, manifest");
  verb->footer(
      "A problem a line, '#' for comments:\n"
      "  layer_norm cols=768 x=bf16 gamma=f32 beta=f32\n"
      "  softmax rows=1..8192 cols=1..4096\n"
      "Each problem gets a kernel of its own; generic kernels serve every other shape, with the same bits.\n"
      "Example:\n"
      "  normforge build norms.problems -o norms --name norms --target x86-64-v3,x86-64-v4\n"
      "For GPUs, add their architectures: functions that end in _cuda take device pointers and a stream:\n"
      "  normforge build norms.problems -o norms --name norms --target x86-64-v3,sm_80,sm_90\n"
      "For common sizes, schedules that were chosen by measuring come with normforge and are used; the manifest says where the schedules\n"
      "of a library are from. With those that 'normforge tune' chose in their place, and an error where it chose none:\n"
      "  normforge build norms.problems -o norms --name norms --lock norms.lock --require-complete");
  auto flags = std::make_shared<BuildFlags>();
  verb->add_option("PROBLEMS", flags->problems, "File of problems")->type_name("")->required();
  verb->add_option("-o,--output", flags->directory, "Directory of the package: DIR/lib, DIR/include, DIR/share")
      ->type_name("DIR")
      ->required();
  verb->add_option("--name", flags->name, "Name of the library, a C identifier: what its symbols begin with")
      ->type_name("NAME")
      ->required();
  verb->add_option("--target", flags->targets, "CPU levels and GPU architectures (sm_80, sm_90, ...) to compile for, separated by commas")
      ->type_name("TARGETS")
      ->capture_default_str();
  verb->add_option("--require", flags->require, "cubin: fail where ptxas gives no machine code for a GPU, in place of a warning")
      ->type_name("CODE")
      ->check(CLI::IsMember({"cubin"}));
  verb->add_flag("--same-bits", flags->same_bits, "GPUs sum in the order of the CPU: the same bits, at some cost of speed");
  add_compile_options(*verb, flags->jobs, flags->cache);
  verb->add_option("--depfile", flags->depfile, "Also write a makefile's rule with the files that were read")->type_name("FILE");
  CLI::Option *lock =
      verb->add_option("--lock", flags->lock,
                       "Lockfile: schedules that were chosen by measuring, in place of the default ones and of those that come "
                       "with normforge")
          ->type_name("FILE");
  CLI::Option *no_lock =
      verb->add_flag("--no-lock", flags->no_lock, "Default schedules alone, not those that come with normforge for common sizes")
          ->excludes(lock);
  verb->add_flag("--require-complete", flags->require_complete, "Fail where the lockfile has no schedule for all of a problem on a target")
      ->excludes(no_lock);
  verb->add_option("--device", flags->devices,
                   "CPU or GPU that the library is for, as 'normforge devices' or Records say it: schedules must have been measured on one "
                   "of its class; may be given for both (default: with --lock this machine's CPU, else any)")
      ->type_name("FINGERPRINT")
      ->allow_extra_args(false)
      ->excludes(no_lock);
  verb->callback([flags] { build(*flags); });
}

} // namespace normforge::cli
