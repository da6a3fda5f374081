// A library linked into a shared object, loaded into this process and called as its header says, and calls of its functions. The test's
// target defines NORMFORGE_C_COMPILER.
#pragma once

#include <cstring>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <random>

#include "codegen/package/library.h"
#include "runtime/runtime.h"
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

/// The data of one call of a problem, dense (fewer rows are the first of more), and the args struct that says where it is.
struct Call {
  Call(const Problem &problem, const std::vector<int64_t> &extents) : problem(problem), extents(extents), table(problem) {
    const Program &program = problem.norm->program;
    bytes.resize(size_t(table.args_bytes()));
    for (size_t a = 0; a < extents.size(); ++a)
      set(table.extent_offset(int(a)), extents[a]);
    for (size_t s = 0; s < program.scalars.size(); ++s)
      set(table.scalar_offset(int(s)), program.scalars[s].fallback);
    data.resize(program.tensors.size());
    for (size_t t = 0; t < program.tensors.size(); ++t) {
      const bool output = program.tensors[t].role == Tensor::output;
      if (output ? !problem.wants(int(t)) : !problem.dtypes[t].has_value())
        continue;
      const DType dtype = *table.problem().dtypes[t];
      std::mt19937 random(static_cast<unsigned>(t));
      std::normal_distribution<double> normal(3, 1);
      data[t].resize(count(t) * size_t(info(dtype).bytes));
      for (size_t i = 0; i < count(t) && !output; ++i)
        store_element(dtype, data[t].data(), i, normal(random));
      set(table.pointer_offset(int(t)), data[t].data());
    }
  }

  size_t count(size_t tensor) const {
    size_t n = 1;
    for (int axis : problem.norm->program.tensors[tensor].axes)
      n *= size_t(extents[size_t(axis)]);
    return n;
  }

  template <class T> void set(int32_t offset, T value) { std::memcpy(bytes.data() + offset, &value, sizeof value); }

  Problem problem;
  std::vector<int64_t> extents;
  FunctionTable table;
  std::vector<std::string> data; ///< by tensor
  std::string bytes;             ///< the args struct
};

} // namespace normforge::testing
