// The dialect's text, verifier and folders, and the way between it and plain programs.
#include <gtest/gtest.h>

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

#include "tests/dialect/support.h"

namespace normforge::dialect {
namespace {

TEST(DialectText, ParsesWhatItPrints) {
  TestContext test;
  mlir::OwningOpRef<FuncOp> func = test.parse(kLayerNorm);
  ASSERT_TRUE(func) << test.errors;
  const std::string text = text_of(*func);
  mlir::OwningOpRef<FuncOp> again = test.parse(text);
  ASSERT_TRUE(again) << test.errors;
  EXPECT_EQ(text_of(*again), text);
}

TEST(DialectText, ImportUndoesExport) {
  TestContext test;
  mlir::OwningOpRef<FuncOp> func = test.parse(kLayerNorm);
  ASSERT_TRUE(func) << test.errors;
  const Program program = export_program(*func);
  ASSERT_EQ(program.nodes.size(), 13u);
  EXPECT_EQ(program.tensors[1].fallback, 1.0);
  EXPECT_EQ(program.nodes[2].axes, axis_bit(0) | axis_bit(1));
  EXPECT_EQ(program.nodes[1].over, axis_bit(1));
  EXPECT_EQ(program.outputs.size(), 3u);
  EXPECT_EQ(text_of(*import_program(test.context, program)), text_of(*func));
}

/// A body over x[rows, cols], eps and a ragged seq < length[rows], with one line that is wrong.
struct Refusal {
  std::string_view body, message;
};
constexpr Refusal kRefusals[] = {
    {"%m = norm.avg %x over <depth> : <cols, rows> -> <cols, rows>", "axis depth, which is not declared"},
    {"%m = norm.avg %x over <> : <cols, rows> -> <cols, rows>", "names no axis"},
    {"%m = norm.avg %x over <cols> : <cols, rows> -> <cols, rows>", "varies over <cols, rows>; expected <rows>"},
    {"%m = norm.avg %x over <cols, cols> : <cols, rows> -> <rows>", "axis cols stands twice"},
    {"%n = norm.count <seq> : <>", "varies over <>; expected <rows>"},
    {"%s = norm.first %x over <cols> : <cols, rows> -> <>", "expected <rows>"},
    {"%z = norm.read @z : <cols>", "tensor @z, which is not declared"},
    {"%y = norm.read @y : <cols, rows>", "tensor @y, which is an output"},
    {"%z = norm.read @x : <cols>", "varies over <cols>; expected <cols, rows>"},
    {"%s = norm.scalar @epsilon", "parameter @epsilon, which is not declared"},
    {"%s = norm.stored %x as @x : <cols, rows>", "tensor @x, which is an input"},
    {"%s = norm.cast %x to i64 : <cols, rows>", "'i64', which is no dtype"},
    {"norm.write %x to @small : <cols, rows>", "lacks that axis"},
    {"norm.write %x to @y : <cols, rows>\n norm.write %x to @y : <cols, rows>", "writes @y a second time"},
    {"%t = norm.less %x, %x : <cols, rows>, <cols, rows>\n %n = norm.neg %t : <cols, rows>", "different type"},
    {"norm.axis cols of [0]", "does not belong in a body"},
};

TEST(Verifier, SaysWhatIsWrong) {
  for (const Refusal &refusal : kRefusals) {
    TestContext test;
    const std::string text = R"(norm.func @wrong {
    norm.axis rows of [0]
    norm.axis cols of [1]
    norm.axis seq below @length of [2]
    norm.tensor input @x <rows, cols>
    norm.tensor length @length <rows>
    norm.tensor output @y <rows, cols>
    norm.tensor output @small <rows>
    norm.parameter @eps = 0.0
  } body {
    %x = norm.read @x : <rows, cols>
  )" + std::string(refusal.body) +
                             "}";
    EXPECT_FALSE(test.parse(text)) << refusal.body;
    EXPECT_NE(test.errors.find(refusal.message), std::string::npos) << refusal.body << "\n" << test.errors;
  }
}

TEST(Verifier, SignaturesNameThingsOnceAndOrderEveryAxis) {
  TestContext test;
  EXPECT_FALSE(test.parse("norm.func @f { norm.axis a of [0] norm.axis a of [1] } body {}"));
  EXPECT_NE(test.errors.find("declares a a second time"), std::string::npos) << test.errors;
  EXPECT_FALSE(test.parse("norm.func @f order <a> { norm.axis a of [0] norm.axis b of [1] } body {}"));
  EXPECT_NE(test.errors.find("does not name every axis once"), std::string::npos) << test.errors;
  EXPECT_FALSE(test.parse("norm.func @f { norm.axis a of [0] norm.tensor output @y <a> default 1.0 } body {}"));
  EXPECT_NE(test.errors.find("is no input"), std::string::npos) << test.errors;
}

/// What `expression`, which may use %x, becomes under the canonicalizer.
std::string canonical(std::string_view lines) {
  TestContext test;
  mlir::OwningOpRef<FuncOp> func =
      test.parse("norm.func @f { norm.axis a of [0] norm.tensor input @x <a> norm.tensor output @y <a> } body {"
                 "%x = norm.read @x : <a>\n" +
                 std::string(lines) + "}");
  if (!func)
    return test.errors;
  mlir::PassManager passes(&test.context, FuncOp::getOperationName());
  passes.addPass(mlir::createCanonicalizerPass());
  if (failed(passes.run(*func)))
    return test.errors;
  return text_of(*func);
}

TEST(Fold, ExactIdentitiesGoAndInexactOnesStay) {
  const std::string write = "norm.write %v to @y : <a>";
  for (const char *same : {"%c = norm.constant 1.0 %v = norm.mul %x, %c : <a>, <>", "%c = norm.constant 1.0 %v = norm.mul %c, %x : <>, <a>",
                           "%c = norm.constant 1.0 %v = norm.div %x, %c : <a>, <>", "%c = norm.constant 0.0 %v = norm.sub %x, %c : <a>, <>",
                           "%v = norm.pow %x, 1 : <a>"})
    EXPECT_NE(canonical(std::string(same) + write).find("norm.write %x to @y"), std::string::npos) << same;
  for (const char *kept :
       {"%c = norm.constant 0.0 %v = norm.add %x, %c : <a>, <>", "%c = norm.constant -0.0 %v = norm.sub %x, %c : <a>, <>",
        "%c = norm.constant 1.0 %v = norm.div %c, %x : <>, <a>", "%v = norm.sub %x, %x : <a>, <a>"})
    EXPECT_EQ(canonical(std::string(kept) + write).find("norm.write %x to @y"), std::string::npos) << kept;
}

TEST(Fold, ConstantsFoldOnlyWhereEveryComputeDtypeAgrees) {
  auto folded = [](const char *line) { return canonical(std::string(line) + "norm.write %v to @y : <>"); };
  EXPECT_NE(folded("%a = norm.constant 1.0 %b = norm.constant 2.5 %v = norm.add %a, %b : <>, <>").find("norm.constant 3.5"),
            std::string::npos);
  EXPECT_NE(folded("%a = norm.constant 2.0 %v = norm.neg %a : <>").find("norm.constant -2.0"), std::string::npos);
  EXPECT_NE(folded("%a = norm.constant 1.0 %b = norm.constant 3.0 %v = norm.div %a, %b : <>, <>").find("norm.div"), std::string::npos);
  EXPECT_NE(folded("%a = norm.constant 0.1 %b = norm.constant 0.1 %v = norm.add %a, %b : <>, <>").find("norm.add"), std::string::npos);
  EXPECT_NE(folded("%a = norm.constant 0.1 %b = norm.constant 10.0 %v = norm.mul %a, %b : <>, <>").find("norm.mul"), std::string::npos)
      << "1 in f64, but 0.1 is another number in f32";
}

} // namespace
} // namespace normforge::dialect
