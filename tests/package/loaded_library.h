// A library linked into a shared object, loaded into this process and called as its header says. The test's target defines
// NORMFORGE_C_COMPILER.
#pragma once

#include <cstdlib>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include "codegen/package/library.h"
#include "runtime/runtime.h"
#include "tests/package/call_data.h"
#include "tests/package/temporary.h"

namespace normforge::testing {

/// A built library in this process, called as its header says. It stays until the process ends, since its threads do.
class LoadedLibrary {
public:
  /// `archive` is the library's, `name` its name.
  LoadedLibrary(const std::string &name, const std::string &archive_bytes) : prefix(name + "_") {
    const std::string archive = directory / "library.a", shared = directory / "library.so";
    write_files({{archive, archive_bytes}});
    const std::string command = NORMFORGE_C_COMPILER " -shared -o " + shared + " -Wl,--no-undefined -Wl,-z,text -Wl,--whole-archive " +
                                archive + " -Wl,--no-whole-archive -pthread";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    handle = ::dlopen(shared.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    EXPECT_NE(handle, nullptr) << ::dlerror();
  }
  LoadedLibrary(const LoadedLibrary &) = delete;

  template <class F> F *symbol(const std::string &name) const { return reinterpret_cast<F *>(::dlsym(handle, (prefix + name).c_str())); }

  void force_level(int level) const { EXPECT_EQ(symbol<decltype(nf_force_level)>("force_level")(level), NF_OK); }

  nf_status call(const std::string &function, const void *args) const {
    return symbol<nf_status(const void *, const nf_options *)>(function)(args, nullptr);
  }

  nf_choice which(const std::string &function, const void *args) const {
    nf_choice choice;
    EXPECT_EQ(symbol<nf_status(const void *, const nf_options *, nf_choice *)>(function + "_which")(args, nullptr, &choice), NF_OK);
    return choice;
  }

private:
  testing::TemporaryDirectory directory;
  std::string prefix;
  void *handle;
};

} // namespace normforge::testing
