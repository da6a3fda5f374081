"""list, check and show."""

import json

from program import ProgramTest, unittest

SCALE_NORM = """/// Scale norm (Nguyen and Salazar, 2019).
norm scale_norm(x[rows..., cols...], g[cols...] = 1; eps = 1e-5 in [0, inf)) -> y[rows..., cols...] {
  y = g * x / max(sqrt(sum(x^2, cols)), eps)
}
"""

CATALOGUE = """layer_norm layer_norm_std layer_norm_channels layer_norm_monitored rms_norm rms_norm_gemma rms_norm_gated add_layer_norm add_rms_norm
batch_norm_infer batch_norm_train batch_norm_ragged group_norm instance_norm mean_variance_norm l2_normalize l1_normalize softmax log_softmax
layer_norm_ragged softmax_ragged rms_norm_quant layer_norm_quant moments moments_merge""".split()


class List(ProgramTest):
    def test_the_catalogue_by_name(self):
        norms = json.loads(self.ok("list", "--json"))
        self.assertEqual(sorted(CATALOGUE), [norm["name"] for norm in norms])
        for norm in norms:
            self.assertTrue(norm["doc"], norm["name"])
            self.assertTrue(norm["signature"].startswith(norm["name"] + "("), norm["signature"])
        layer_norm = next(norm for norm in norms if norm["name"] == "layer_norm")
        self.assertEqual([tensor["name"] for tensor in layer_norm["tensors"]], ["x", "gamma", "beta", "y", "mean", "rstd"])
        self.assertEqual(layer_norm["scalars"], [{"name": "eps", "default": 1e-5}])

    def test_text_has_a_signature_and_a_line_about_each(self):
        lines = self.ok("list").splitlines()
        self.assertEqual(len(lines), 2 * len(CATALOGUE))
        self.assertTrue(any(line.startswith("layer_norm(x[rows..., cols...]") and "-> y" in line for line in lines))
        self.assertTrue(any(line.startswith("batch_norm_train(") and "unbiased = 1 in {0, 1}) -> y" in line for line in lines))


class Check(ProgramTest):
    def test_good_files(self):
        self.write("scale.norm", SCALE_NORM)
        self.write("kernels.problems", "# two\nlayer_norm cols=768\n\nrms_norm cols=1024 x=bf16  # hidden size\n")
        self.assertEqual(self.ok("check", "scale.norm", "kernels.problems"), "scale.norm: 1 norm, no errors\nkernels.problems: 2 problems, no errors\n")
        report = json.loads(self.ok("check", "--json", "scale.norm", "kernels.problems"))
        self.assertEqual(report[0]["norms"][0]["name"], "scale_norm")
        self.assertEqual(len(report[1]["problems"]), 2)

    def test_canonical_text_is_a_fixed_point(self):
        for name in CATALOGUE:
            text = self.ok("show", name)
            self.write("again.norm", text)
            self.assertEqual(self.ok("check", "--print", "again.norm"), text)

    def test_every_error_of_every_file_with_a_caret(self):
        self.write("a.norm", "norm a(x[rows]) -> y[rows] {\n  y = sqt(x)\n}\n")
        self.write("b.norm", "norm b(x[rows]) -> y[rows] {\n  t = x + z\n  y = t @ 2\n}\n")
        self.refused("check", "a.norm", "b.norm", says=("a.norm:2:7", "sqrt", "b.norm:2:11", "b.norm:3:9", "^"))

    def test_files_of_no_kind(self):
        self.write("kernels.txt", "")
        self.refused("check", "kernels.txt", says=(".norm", ".problems"))
        self.refused("check", "nowhere.norm", says="nowhere.norm")
        self.refused("check", ".", says="'.'")


class Show(ProgramTest):
    def test_stages_of_a_problem(self):
        problem = ("layer_norm", "rows=512", "cols=768")
        for stage, part in (
            ("norm", "norm layer_norm("),
            ("sweeps", "sweep 1 over cols"),
            ("schedule", "two_pass lanes=32"),
            ("mlir", "func"),
            ("llvm", "define "),
            ("asm", ".text"),
        ):
            self.assertIn(part, self.ok("show", *problem, "--stage", stage))
        self.assertIn("zmm", self.ok("show", *problem, "--stage=asm", "--target=x86-64-v4"))
        self.assertNotIn("zmm", self.ok("show", *problem, "--stage=asm", "--target=x86-64-v3"))
        self.assertNotIn("ymm", self.ok("show", *problem, "--stage=asm", "--target=x86-64-v2"))

    def test_a_norm_of_ones_own(self):
        self.write("scale.norm", SCALE_NORM)
        self.assertIn("sweep 2 over cols", self.ok("show", "scale.norm", "cols=64", "--stage=sweeps"))

    def test_after_a_pass(self):
        passes = self.ok("show", "--passes").split()
        self.assertGreater(len(passes), 2)
        for name in passes:
            self.assertIn("norm.", self.ok("show", "layer_norm", "--after", name))
        self.refused("show", "layer_norm", "--after", passes[0] + "x", says=("unknown pass", f"did you mean '{passes[0]}'"))

    def test_output_file(self):
        text = self.ok("show", "softmax")
        self.assertEqual(self.ok("show", "softmax", "-o", "softmax.norm"), "")
        with open(self.path("softmax.norm")) as file:
            self.assertEqual(file.read(), text)

    def test_a_knob_of_the_schedule(self):
        text = self.ok("show", "layer_norm", "cols=768", "--stage=schedule", "--schedule", "rows=2")
        self.assertIn("rows=2", text)
        self.assertEqual(self.ok("show", "layer_norm", "cols=768", "--stage=schedule", "--schedule", text.strip()), text)


if __name__ == "__main__":
    unittest.main()
