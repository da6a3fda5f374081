// The conformance suite for a library on GPU 0 of this machine: every kernel that the library has for GPUs is called at the suite's shapes
// and compared with the f64 reference, with itself, and bit for bit with the library's function for the CPU where it has one. What is
// tried is read from the library, so the suite needs no compiler where it runs: the program carries the reference, and is linked against
// nothing but libc and the driver. compute-sanitizer runs it, too.
//
//   normforge_library_suite LIBRARY.so [--gtest_…]    LIBRARY.so: libNAME.so of the library NAME
//   normforge_library_suite --problems MIX            prints the problems of such a library: the catalogue in a mix of dtypes
//   normforge_library_suite --mixes                   prints the mixes
//
// On the stand-in driver, NORMFORGE_STAND_IN_KERNELS names a file where each kernel is announced before it is launched.
#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iostream>
#include <set>

#include "codegen/check/sample_inputs.h"
#include "codegen/check/tolerance.h"
#include "dsl/error.h"
#include "tests/conformance/cases.h"
#include "tests/driver/device_call.h"

namespace normforge::testing {
namespace {

/// A library that another toolchain run has made, in this process.
class OpenLibrary {
public:
  explicit OpenLibrary(const std::string &path) : handle(::dlopen(std::filesystem::absolute(path).c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (!handle)
      throw UserError(std::string("cannot load the library: ") + ::dlerror());
    prefix = std::filesystem::path(path).stem().string().substr(3) + "_"; // libNAME.so
    described = symbol<decltype(nf_describe)>("describe")();
    call = symbol<decltype(nf_call)>("call");
    workspace_bytes = symbol<decltype(nf_workspace_bytes)>("workspace_bytes");
    cuda_call = symbol<decltype(nf_cuda_call)>("cuda_call");
    cuda_which = symbol<decltype(nf_cuda_which)>("cuda_which");
    cuda_workspace_bytes = symbol<decltype(nf_cuda_workspace_bytes)>("cuda_workspace_bytes");
  }

  const nf_function *for_cpu(std::string_view name) const {
    for (int f = 0; f < described->functions; ++f)
      if (name == described->function[f]->name)
        return described->function[f];
    return nullptr;
  }

  const nf_library *described;
  decltype(&nf_call) call;
  decltype(&nf_workspace_bytes) workspace_bytes;
  decltype(&nf_cuda_call) cuda_call;
  decltype(&nf_cuda_which) cuda_which;
  decltype(&nf_cuda_workspace_bytes) cuda_workspace_bytes;

private:
  template <class F> F *symbol(const std::string &name) const {
    void *found = ::dlsym(handle, (prefix + name).c_str());
    if (!found)
      throw UserError("the library has no " + prefix + name + "; is it one of normforge's, with code for GPUs?");
    return reinterpret_cast<F *>(found);
  }

  void *handle;
  std::string prefix;
};

struct SuiteCase {
  const OpenLibrary *library;
  const nf_function *function;
  Problem problem;
  std::vector<int64_t> extents;
};

void announce(const nf_choice &choice) {
  static std::ofstream file;
  if (const char *path = std::getenv("NORMFORGE_STAND_IN_KERNELS")) {
    if (!file.is_open())
      file.open(path, std::ios::app);
    file << "sm_" << choice.level << '\t' << choice.problem << '\t' << choice.schedule << '\n' << std::flush;
  }
}

/// The tensors after a call on the GPU.
std::vector<std::string> on_gpu(const SuiteCase &tried, const Call &host) {
  DeviceCall call(host);
  const OpenLibrary &library = *tried.library;
  EXPECT_EQ(library.cuda_workspace_bytes(tried.function, call.args.data(), &call.options.workspace_bytes), NF_OK);
  EXPECT_EQ(cuMemAlloc_v2(&call.workspace, size_t(call.options.workspace_bytes) + 1), 0);
  call.options.workspace = reinterpret_cast<void *>(call.workspace);
  nf_choice choice{};
  EXPECT_EQ(library.cuda_which(tried.function, call.args.data(), &call.options, &choice), NF_OK) << choice.why;
  announce(choice);
  EXPECT_EQ(library.cuda_call(tried.function, call.args.data(), &call.options), NF_OK);
  EXPECT_EQ(cuCtxSynchronize(), 0);
  return call.results();
}

/// Whether two calls' tensors are the same bits, NaNs being equal to each other.
bool same_bits(const Call &call, const std::vector<std::string> &one, const std::vector<std::string> &other) {
  for (size_t t = 0; t < one.size(); ++t) {
    if (one[t] == other[t])
      continue;
    const DType dtype = *call.table.problem().dtypes[t];
    const size_t bytes = size_t(info(dtype).bytes);
    for (size_t i = 0; i < one[t].size() / bytes; ++i)
      if (one[t].compare(i * bytes, bytes, other[t], i * bytes, bytes) != 0 &&
          !(std::isnan(load_element(dtype, one[t].data(), i)) && std::isnan(load_element(dtype, other[t].data(), i))))
        return false;
  }
  return true;
}

void expect_near(const Call &call, const std::vector<std::string> &got, const std::map<std::string, ReferenceArray> &reference) {
  const bool ragged = std::ranges::any_of(call.problem.norm->program.axes, [](const Axis &axis) { return axis.length >= 0; });
  for (const auto &[name, want] : reference) {
    const size_t t = size_t(call.problem.norm->program.tensor_named(name));
    if (got[t].empty())
      continue;
    const DType dtype = *call.table.problem().dtypes[t];
    const Tolerance allowed = tolerance(call.problem, dtype);
    for (size_t i = 0; i < want.values.size(); ++i) {
      const double value = load_element(dtype, got[t].data(), i);
      ASSERT_TRUE((ragged && std::isnan(want.values[i])) || allowed.accepts(value, want.values[i]))
          << name << "[" << i << "]: " << value << ", reference " << want.values[i];
    }
  }
}

class LibrarySuite : public ::testing::Test {
public:
  explicit LibrarySuite(SuiteCase tried) : tried(std::move(tried)) {}

private:
  void TestBody() override {
    SCOPED_TRACE(to_text(fixed(tried.problem, tried.extents)));
    const ReferenceInputs inputs = make_inputs(tried.problem, tried.extents, {.seed = 7, .mean = 0.5});
    const auto reference = expected(tried.problem, tried.extents, inputs);
    if (!reference)
      GTEST_SKIP() << "the norm does not allow these extents";
    Call host(tried.problem, tried.extents);
    for (const auto &[name, given] : inputs.tensors) {
      const size_t t = size_t(tried.problem.norm->program.tensor_named(name));
      for (size_t i = 0; i < given.values.size() && !host.data[t].empty(); ++i)
        store_element(*host.table.problem().dtypes[t], host.data[t].data(), i, given.values[i]);
    }
    const std::vector<std::string> results = on_gpu(tried, host);
    if (HasFailure())
      return;
    expect_near(host, results, *reference);
    EXPECT_TRUE(same_bits(host, on_gpu(tried, host), results)) << "a second call gives other bits";
    const nf_function *cpu = tried.library->for_cpu(tried.function->name);
    nf_options options{};
    if (!cpu || tried.library->workspace_bytes(cpu, host.bytes.data(), &options.workspace_bytes) != NF_OK)
      return;
    std::vector<char> workspace(size_t(options.workspace_bytes) + 1);
    options.workspace = workspace.data();
    ASSERT_EQ(tried.library->call(cpu, host.bytes.data(), &options), NF_OK);
    EXPECT_TRUE(same_bits(host, results, host.data)) << "the CPU's function gives other bits";
  }

  SuiteCase tried;
};

/// Every kernel at every shape that it serves, as far as a shape says anything new.
void add_tests(const OpenLibrary &library) {
  std::set<std::string> seen;
  for (int f = 0; f < library.described->cuda_functions; ++f) {
    const nf_function *function = library.described->cuda_function[f];
    for (int k = 0; k < function->kernels; ++k)
      for (const Shape &shape : shapes()) {
        const Problem problem = parse_problem(function->kernel[k].problem);
        std::vector<int64_t> extents = shape.of(*problem.norm);
        for (size_t a = 0; a < extents.size(); ++a)
          extents[a] = std::clamp(extents[a], problem.extents[a].lo, problem.extents[a].hi);
        if (std::ranges::find(extents, 0) != extents.end() || !seen.insert(to_text(fixed(problem, extents))).second)
          continue;
        const std::string name = std::string(shape.label) + "_" + std::to_string(k);
        ::testing::RegisterTest(function->name, name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                                [=, &library]() -> ::testing::Test * { return new LibrarySuite({&library, function, problem, extents}); });
      }
  }
}

int run(std::span<char *> words) {
  if (words.size() == 2 && words[1] == std::string_view("--mixes")) {
    for (const Mix &mix : mixes())
      std::cout << mix.label << '\n';
    return 0;
  }
  if (words.size() == 3 && words[1] == std::string_view("--problems")) {
    const auto mix = std::ranges::find(mixes(), std::string_view(words[2]), &Mix::label);
    if (mix == mixes().end())
      throw UserError(std::string("unknown mix '") + words[2] + "'; --mixes prints them");
    for (const NormRef &norm : catalogue())
      std::cout << to_text(problem_of(norm, *mix)) << '\n';
    return 0;
  }
  if (words.size() != 2)
    throw UserError("expected one library, libNAME.so");
  CUhandle context;
  if (const CUresult failed = cuInit(0))
    throw UserError("no GPU: the CUDA driver reports error " + std::to_string(failed));
  if (cuDevicePrimaryCtxRetain(&context, 0) || cuCtxSetCurrent(context))
    throw UserError("GPU 0 cannot be used");
  static const OpenLibrary library(words[1]); // its tests' code is there as long as they are
  add_tests(library);
  return RUN_ALL_TESTS();
}

} // namespace
} // namespace normforge::testing

int main(int count, char **words) {
  ::testing::InitGoogleTest(&count, words);
  try {
    return normforge::testing::run({words, size_t(count)});
  } catch (const normforge::UserError &error) {
    std::cerr << "library_suite: " << error.what() << '\n';
    return 2;
  }
}
