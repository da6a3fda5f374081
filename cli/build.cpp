// normforge build: a static library of kernels for the problems of a file.
#include <filesystem>
#include <set>
#include <unistd.h>

#include "cli/output.h"
#include "cli/verbs.h"
#include "codegen/package/library.h"

namespace normforge::cli {
namespace {

struct BuildFlags {
  std::string problems, directory, name, targets = "x86-64-v2,x86-64-v3,x86-64-v4", cache, depfile;
  int jobs = 0;
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

void build(const BuildFlags &flags) {
  const std::vector<Problem> problems = parse_problems(read_file(flags.problems), flags.problems);
  LibraryOptions options{flags.name, parse_targets(flags.targets), flags.cache.empty() ? default_cache_directory() : flags.cache,
                         flags.jobs, show_progress};
  check_library_name(flags.name);
  make_writable_directory(flags.directory); // before time is spent on kernels
  Library library;
  try {
    library = make_library(problems, options);
  } catch (...) {
    end_progress();
    throw;
  }
  end_progress();
  for (OutputFile &file : library.files)
    file.path = (std::filesystem::path(flags.directory) / file.path).string();
  const OutputFile &archive = library.files.front();
  const std::string summary = archive.path + ": " + std::to_string(library.kernels.kernels) + " kernels (" +
                              std::to_string(library.kernels.compiled) + " compiled, " + std::to_string(library.kernels.cached) +
                              " from the cache), " + std::to_string((archive.bytes.size() + 1023) / 1024) + " KiB\n";
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
  verb->footer("A problem a line, '#' for comments:\n"
               "  layer_norm cols=768 x=bf16 gamma=f32 beta=f32\n"
               "  softmax rows=1..8192 cols=1..4096\n"
               "Each problem gets a kernel of its own; generic kernels serve every other shape, with the same bits.\n"
               "Example:\n"
               "  normforge build norms.problems -o norms --name norms --target x86-64-v3,x86-64-v4");
  auto flags = std::make_shared<BuildFlags>();
  verb->add_option("PROBLEMS", flags->problems, "File of problems")->type_name("")->required();
  verb->add_option("-o,--output", flags->directory, "Directory of the package: DIR/lib, DIR/include, DIR/share")
      ->type_name("DIR")
      ->required();
  verb->add_option("--name", flags->name, "Name of the library, a C identifier: what its symbols begin with")
      ->type_name("NAME")
      ->required();
  verb->add_option("--target", flags->targets, "CPU levels to compile for, separated by commas")
      ->type_name("TARGETS")
      ->capture_default_str();
  verb->add_option("--jobs", flags->jobs, "Threads; 0: one per core")->type_name("N")->check(CLI::Range(0, 1024))->capture_default_str();
  verb->add_option("--cache", flags->cache, "Directory of compiled kernels (default: normforge/ in $XDG_CACHE_HOME or ~/.cache)")
      ->type_name("DIR");
  verb->add_option("--depfile", flags->depfile, "Also write a makefile's rule with the files that were read")->type_name("FILE");
  verb->callback([flags] { build(*flags); });
}

} // namespace normforge::cli
