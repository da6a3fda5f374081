// Libraries as bytes: equal however they were made, symbols under the prefix alone, and what the cache gives back.
#include "codegen/package/library.h"

#include <gtest/gtest.h>
#include <regex>
#include <set>
#include <thread>

#include "codegen/package/object.h"
#include "dsl/error.h"
#include "tests/package/temporary.h"
#include "llvm/Object/ELFObjectFile.h"

namespace normforge {
namespace {

using testing::contents;
using testing::files_below;
using testing::TemporaryDirectory;

const char *const kProblems = "softmax rows=1..64 cols=100\nl2_normalize cols=37\n";

Library make(const std::string &text, LibraryOptions options) {
  options.name = "norms";
  if (options.targets.empty())
    options.targets = parse_targets("x86-64-v2,x86-64-v3,x86-64-v4");
  return make_library(parse_problems(text, "problems.txt"), options);
}

void expect_equal(const Library &a, const Library &b) {
  ASSERT_EQ(a.files.size(), b.files.size());
  for (size_t i = 0; i < a.files.size(); ++i)
    EXPECT_TRUE(a.files[i].path == b.files[i].path && a.files[i].bytes == b.files[i].bytes) << a.files[i].path;
}

TEST(Library, SameBytesOnOneThreadAndManyFromTheCacheAndWithout) {
  const TemporaryDirectory directory;
  const std::vector<const Target *> targets = parse_targets("x86-64-v2,x86-64-v3,x86-64-v4,sm_90");
  const Library plain = make(kProblems, {.targets = targets, .jobs = 1});
  EXPECT_EQ(plain.kernels.compiled, plain.kernels.kernels);
  const Library threaded = make(kProblems, {.targets = targets, .cache = directory / "cache", .jobs = 4});
  const Library cached = make(kProblems, {.targets = targets, .cache = directory / "cache", .jobs = 4});
  EXPECT_EQ(threaded.kernels.compiled, plain.kernels.kernels);
  EXPECT_EQ(cached.kernels.cached, plain.kernels.kernels);
  EXPECT_EQ(cached.kernels.compiled, 0);
  expect_equal(plain, threaded);
  expect_equal(plain, cached);
}

TEST(Library, DamagedCacheEntriesAreCompiledAgain) {
  const TemporaryDirectory directory;
  const LibraryOptions options{.cache = directory / "cache", .jobs = 1};
  const Library first = make(kProblems, options);
  const std::vector<std::string> entries = files_below(options.cache);
  ASSERT_GE(entries.size(), 4u);
  const std::string bytes = contents(entries[0]);
  testing::write(entries[0], "");
  testing::write(entries[1], contents(entries[1]).substr(0, 1000));
  std::string flipped = contents(entries[2]);
  flipped[flipped.size() - 100] ^= 1;
  testing::write(entries[2], flipped);
  const Library again = make(kProblems, options);
  EXPECT_EQ(again.kernels.compiled, 3);
  expect_equal(first, again);
  EXPECT_EQ(contents(entries[0]), bytes);
}

TEST(Library, CacheServesSeveralWritersAtOnce) {
  const TemporaryDirectory directory;
  std::vector<Library> libraries(3);
  {
    std::vector<std::jthread> builders;
    for (Library &library : libraries)
      builders.emplace_back([&] { library = make(kProblems, {.cache = directory / "cache", .jobs = 2}); });
  }
  expect_equal(libraries[0], libraries[1]);
  expect_equal(libraries[0], libraries[2]);
  for (const std::string &file : files_below(directory / "cache"))
    EXPECT_EQ(file.find("partial"), file.npos) << file;
  EXPECT_EQ(make(kProblems, {.cache = directory / "cache"}).kernels.compiled, 0);
}

/// What the system gives a program on any Linux.
const std::set<std::string> kSystem = {"bcmp",
                                       "getenv",
                                       "memcmp",
                                       "memcpy",
                                       "memset",
                                       "pthread_atfork",
                                       "pthread_cond_signal",
                                       "pthread_cond_wait",
                                       "pthread_create",
                                       "pthread_detach",
                                       "pthread_mutex_lock",
                                       "pthread_mutex_unlock",
                                       "pthread_sigmask",
                                       "sched_getaffinity",
                                       "sigfillset",
                                       "snprintf",
                                       "sysconf",
                                       "__sched_cpucount"};
/// And what only a library with code for GPUs takes of it.
const std::set<std::string> kForGpus = {"dlerror", "dlopen", "dlsym", "free", "malloc", "pthread_once"};

class Symbols : public ::testing::TestWithParam<const char *> {};

TEST_P(Symbols, AreUnderThePrefixAndNothingElseIsWanted) {
  const Library library = make("batch_norm_train\nrms_norm_quant x=bf16 cols=64\n", {.targets = parse_targets(GetParam())});
  const bool gpu = std::string_view(GetParam()).find("sm_") != std::string_view::npos;
  std::set<std::string> defined, wanted, exported;
  int members = 0;
  for (const Member &member : read_archive(library.files[0].bytes)) {
    SCOPED_TRACE(member.name);
    ++members;
    EXPECT_TRUE(member.name.starts_with("norms_"));
    auto file = llvm::cantFail(llvm::object::ObjectFile::createObjectFile({member.bytes, member.name}));
    for (const llvm::object::ELFSymbolRef symbol : llvm::cast<llvm::object::ELFObjectFileBase>(*file).symbols()) {
      const uint32_t flags = llvm::cantFail(symbol.getFlags());
      const std::string name = llvm::cantFail(symbol.getName()).str();
      if (flags & llvm::object::SymbolRef::SF_Undefined) {
        wanted.insert(name);
      } else if (flags & llvm::object::SymbolRef::SF_Global) {
        EXPECT_TRUE(defined.insert(name).second) << name << " is defined twice";
        if (symbol.getOther() == llvm::ELF::STV_DEFAULT)
          exported.insert(name);
      }
    }
    bool marked = false;
    for (const llvm::object::ELFSectionRef section : file->sections()) {
      const std::string name = llvm::cantFail(section.getName()).str();
      EXPECT_FALSE(name.starts_with(".init_array") || name.starts_with(".ctors") || name.starts_with(".debug")) << name;
      if (name == ".note.GNU-stack") {
        marked = true;
        EXPECT_FALSE(section.getFlags() & llvm::ELF::SHF_EXECINSTR);
      }
      EXPECT_FALSE((section.getFlags() & llvm::ELF::SHF_EXECINSTR) && (section.getFlags() & llvm::ELF::SHF_WRITE)) << name;
    }
    EXPECT_TRUE(marked) << "a stack that may be executed";
  }
  EXPECT_GT(members, 20);
  for (const std::string &name : defined)
    EXPECT_TRUE(name.starts_with("norms_")) << name;
  for (const std::string &name : wanted)
    if (name != "_GLOBAL_OFFSET_TABLE_" && !defined.contains(name))
      EXPECT_TRUE(kSystem.contains(name) || (gpu && kForGpus.contains(name))) << name;
  for (const std::string &name : kForGpus)
    EXPECT_EQ(wanted.contains(name), gpu) << name;
  // What others may see is what the header declares.
  for (const std::string &name : exported)
    EXPECT_TRUE(std::regex_search(library.files[1].bytes, std::regex("\\b" + name + "\\("))) << name;
  EXPECT_TRUE(exported.contains("norms_batch_norm_train_f32_which") && exported.contains("norms_force_level") &&
              exported.contains("norms_describe"));
  EXPECT_EQ(exported.contains("norms_batch_norm_train_f32_cuda_which"), gpu);
  EXPECT_EQ(exported.contains("norms_cuda_capability"), gpu);
}

INSTANTIATE_TEST_SUITE_P(Library, Symbols, ::testing::Values("x86-64-v2,x86-64-v4", "x86-64-v3,sm_80,sm_90"));

TEST(Library, NamesNoDirectory) {
  const Library library = make("softmax\n", {.targets = parse_targets("x86-64-v3")});
  for (const OutputFile &file : library.files) {
    EXPECT_EQ(file.bytes.find(NORMFORGE_SOURCE_DIRECTORY), file.bytes.npos) << file.path;
    EXPECT_EQ(file.bytes.find("/home/"), file.bytes.npos) << file.path;
  }
}

std::string refusal(const std::string &text, const std::string &name = "norms") {
  try {
    make_library(parse_problems(text, "problems.txt"), {.name = name, .targets = parse_targets("x86-64-v3")});
  } catch (const UserError &error) {
    return error.what();
  }
  return "";
}

TEST(Library, RefusesWhatItCannotName) {
  for (const char *name : {"", "2norms", "no-rms", "a b", "nörms"})
    EXPECT_NE(refusal("softmax", name).find("C identifier"), std::string::npos) << name;
  EXPECT_NE(refusal("# nothing\n\n").find("no problem"), std::string::npos);
}

TEST(Library, RefusesTwoNormsOfOneName) {
  const TemporaryDirectory directory;
  testing::write(directory / "a.norm", "norm f(x[rows..., cols...]) -> y[rows..., cols...] { y = x / sum(x, cols) }");
  testing::write(directory / "b.norm", "norm f(x[rows..., cols...]) -> y[rows..., cols...] { y = x / max(x, cols) }");
  EXPECT_NE(refusal(directory / "a.norm" + "\n" + (directory / "b.norm")).find("called 'f_f32'"), std::string::npos);
}

TEST(WriteFiles, LeavesTheOldOnesWhenOneCannotBeWritten) {
  const TemporaryDirectory directory;
  write_files({{directory / "a", "old"}});
  testing::write(directory / "file", "");
  EXPECT_THROW(write_files({{directory / "a", "new"}, {directory / "file/below", "new"}}), UserError);
  EXPECT_EQ(contents(directory / "a"), "old");
  EXPECT_EQ(files_below(directory / ".").size(), 2u);
}

} // namespace
} // namespace normforge
