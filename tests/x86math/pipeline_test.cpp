// What the objects are like, read with LLVM's own tools: no calls (compile_module throws), no executable stack, the same bytes each time,
// no instruction that was not asked for. And that they load and go away again.
#include <regex>
#include <thread>

#include <gtest/gtest.h>

#include "llvm/Object/ELFObjectFile.h"

#include "codegen/image.h"
#include "codegen/nest/convert.h"
#include "codegen/nest/math.h"
#include "dsl/error.h"
#include "tests/x86math/pointwise_kernel.h"

namespace normforge::x86 {

using namespace nest;

namespace {

constexpr Op kUnary[] = {Op::sqrt, Op::rsqrt,   Op::exp,   Op::exp2, Op::log,   Op::log2, Op::tanh,
                         Op::erf,  Op::sigmoid, Op::floor, Op::ceil, Op::round, Op::abs};

PointwiseKernel unary(Op op, bool fma, DType dtype, const Target &target, int width = 32) {
  return {{dtype}, dtype, width, 0, [&target, op, fma](auto &builder, auto values) {
            return emit_pointwise(builder, op, values, fma, target);
          }};
}

PointwiseKernel conversion(DType from, DType to, const Target &target, int width = 32) {
  return {{from}, to, width, 0, [&target, from, to](auto &b, auto x) {
            const mlir::Type compute = storage_type(b.getContext(), from == DType::f64 || to == DType::f64 ? DType::f64 : DType::f32);
            return narrow(b, widen(b, x[0], from, compute, target), to, target);
          }};
}

void expect_self_contained(const Kernel &kernel, const std::string &what) {
  auto object = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(kernel.object, "object"));
  ASSERT_TRUE(bool(object));
  bool stack_note = false;
  for (const llvm::object::ELFSectionRef section : (*object)->sections()) {
    const std::string section_name = llvm::cantFail(section.getName()).str();
    EXPECT_NE(section_name, ".eh_frame") << what;
    if (section_name == ".note.GNU-stack") {
      stack_note = true;
      EXPECT_EQ(section.getFlags() & llvm::ELF::SHF_EXECINSTR, 0u);
    }
  }
  EXPECT_TRUE(stack_note) << what;
}

TEST(Pipeline, ObjectsAreSelfContained) {
  for (const Target &target : targets()) {
    if (target.backend != "x86")
      continue;
    for (DType dtype : {DType::f32, DType::f64})
      for (Op op : kUnary)
        for (int width : {1, 32})
          expect_self_contained(unary(op, target.fma, dtype, target, width).compile(target),
                                std::string(info(op).name) + " for " + std::string(target.name));
    for (DType wide : {DType::f32, DType::f64})
      for (DType narrow : {DType::bf16, DType::f16, DType::f8e4m3, DType::i8})
        for (int width : {1, 32}) {
          expect_self_contained(conversion(wide, narrow, target, width).compile(target), "to " + std::string(name(narrow)));
          expect_self_contained(conversion(narrow, wide, target, width).compile(target), "from " + std::string(name(narrow)));
        }
  }
}

TEST(Pipeline, NothingApproximateOrFusedUnasked) {
  for (const Target &target : targets()) {
    if (target.backend != "x86")
      continue;
    for (DType dtype : {DType::f32, DType::f64})
      for (Op op : kUnary)
        for (bool fma : {false, target.fma}) {
          StageText text;
          unary(op, fma, dtype, target).compile(target, &text);
          EXPECT_FALSE(std::regex_search(text.assembly, std::regex("v?(rsqrt|rcp)(14|28)?[sp][sd]"))) << text.assembly;
          if (!fma) {
            EXPECT_EQ(text.assembly.find("fmadd"), std::string::npos) << info(op).name;
            EXPECT_EQ(text.assembly.find("fmsub"), std::string::npos) << info(op).name;
            EXPECT_EQ(text.assembly.find("fnmadd"), std::string::npos) << info(op).name;
          }
        }
  }
}

TEST(Pipeline, SameBytesFromAnyThread) {
  const Target &target = find_target("x86-64-v3");
  const Kernel first = unary(Op::tanh, true, DType::f32, target).compile(target);
  unary(Op::exp, true, DType::f64, target).compile(target);
  EXPECT_EQ(unary(Op::tanh, true, DType::f32, target).compile(target).object, first.object);
  Kernel elsewhere;
  std::thread([&] { elsewhere = unary(Op::tanh, true, DType::f32, target).compile(target); }).join();
  EXPECT_EQ(elsewhere.object, first.object);
  EXPECT_EQ(elsewhere.code_hash, first.code_hash);
  EXPECT_NE(unary(Op::erf, true, DType::f32, target).compile(target).code_hash, first.code_hash);
}

TEST(Pipeline, StagesAreShown) {
  StageText text;
  const Target &target = find_target("x86-64-v3");
  unary(Op::sqrt, false, DType::f32, target).compile(target, &text);
  EXPECT_NE(text.mlir.find("math.sqrt"), std::string::npos);
  EXPECT_NE(text.llvm.find("@llvm.sqrt.v32f32"), std::string::npos);
  EXPECT_NE(text.assembly.find("vsqrtps"), std::string::npos);
}

TEST(Pipeline, VectorWidthIsKept) {
  const Target &target = find_target("x86-64-v4");
  for (int bits : {128, 256, 512}) {
    StageText text;
    PointwiseKernel kernel = unary(Op::exp, true, DType::f32, target);
    kernel.vector_bits = bits;
    kernel.compile(target, &text);
    EXPECT_EQ(text.assembly.find("%zmm") != std::string::npos, bits == 512) << bits;
  }
}

// LLVM has an intrinsic for the first, which would become a call into libm; MLIR has no lowering of the second to LLVM.
TEST(Pipeline, CallsAndUnknownOperationsAreBugs) {
  for (const char *operation : {"math.atan", "math.cbrt"}) {
    const PointwiseKernel kernel{{DType::f32}, DType::f32, 32, 0, [&](auto &b, auto x) -> mlir::Value {
                                   mlir::OperationState state(b.getLoc(), operation);
                                   state.addOperands(x[0]);
                                   state.addTypes(x[0].getType());
                                   return b.create(state)->getResult(0);
                                 }};
    EXPECT_THROW(kernel.compile(find_target("x86-64-v3")), InternalError) << operation;
  }
}

TEST(Image, MalformedObjectsAreBugs) {
  Kernel kernel = unary(Op::sqrt, false, DType::f32, host_target()).compile(host_target());
  kernel.steps[0].symbol = "absent";
  EXPECT_THROW(make_image(kernel), InternalError);
  kernel.object.resize(40);
  EXPECT_THROW(make_image(kernel), InternalError);
}

TEST(Loader, RefusesWhatTheMachineLacks) {
  Kernel kernel = unary(Op::sqrt, false, DType::f32, host_target()).compile(host_target());
  for (const Target &target : targets())
    if (!runs_here(target)) {
      kernel.target = std::string(target.name);
      EXPECT_THROW(LoadedKernel{kernel}, UserError);
    }
}

// Resident memory in kB.
long resident() {
  long pages = 0, shared = 0;
  FILE *file = std::fopen("/proc/self/statm", "r");
  const int read = std::fscanf(file, "%ld %ld", &pages, &shared);
  std::fclose(file);
  return read == 2 ? shared * 4 : -1;
}

TEST(Loader, ThousandsComeAndGo) {
  const Kernel kernel = unary(Op::exp, false, DType::f32, host_target()).compile(host_target());
  const auto load_many = [&] {
    std::vector<LoadedKernel> loaded;
    for (int i = 0; i < 500; ++i)
      loaded.emplace_back(kernel);
  };
  load_many();
  const long before = resident();
  for (int round = 0; round < 8; ++round)
    load_many();
  if (!__has_feature(address_sanitizer)) // which keeps freed memory for a while
    EXPECT_LT(resident() - before, 4000) << "kB more after 4000 kernels";
}

} // namespace
} // namespace normforge::x86
