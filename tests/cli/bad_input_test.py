"""What the issue of bad input comes to: one clear line or a caret diagnostic, exit 1, nothing written. npy files are in npy_test.py."""

import re
import subprocess

from program import PROGRAM, ProgramTest, np, unittest


class BadInput(ProgramTest):
    def setUp(self):
        super().setUp()
        np.save(self.path("x.npy"), np.ones((2, 3, 4), np.float32))
        np.save(self.path("g.npy"), np.ones(4, np.float32))

    def refuse_run(self, *flags, says=(), norm="layer_norm"):
        return self.refused("run", norm, *flags, says=says)

    X, G, Y = ("--in", "x=x.npy"), ("--in", "gamma=g.npy"), ("--out", "y=y.npy")

    def test_command_line(self):
        self.refused(says="--help")
        self.refused("lsit", says=("unknown verb 'lsit'",))
        self.refused("shwo", says="normforge --help")
        self.refused("list", "--jsn", says=("unknown flag '--jsn'", "'--json'", "normforge list --help"))
        self.refused("run", "layer_norm", "--inn", "x=x.npy", says=("unknown flag '--inn'", "'--in'"))
        self.refused("run", "layer_norm", "extra", *self.X, *self.Y, says="extra")
        self.refused("run", *self.X, *self.Y, says="NORM")
        self.refused("run", "layer_norm", *self.X, *self.Y, "--threads", "many", says="many")
        self.refused("run", "layer_norm", *self.X, *self.Y, "--threads", "-1", says="-1")

    def test_names(self):
        self.refuse_run(*self.X, *self.Y, norm="layer_nrm", says=("layer_nrm", "layer_norm"))
        self.refuse_run(*self.X, *self.Y, norm="mine.norm", says="mine.norm")
        self.refuse_run("--in", "z=x.npy", *self.Y, says=("'z'", "x, gamma, beta"))
        self.refuse_run(*self.X, "--in", "gama=g.npy", *self.Y, says=("'gama'", "'gamma'"))
        self.refuse_run(*self.X, *self.G, "--out", "z=y.npy", says=("'z'", "y, mean, rstd"))
        self.refuse_run(*self.X, *self.G, *self.Y, "--set", "epsilon=1", says=("'epsilon'", "eps"))
        self.refuse_run(*self.X, *self.Y, "--bind", "colls=4", says=("'colls'", "'cols'"))
        self.refuse_run(*self.X, *self.G, *self.Y, "--target", "x86-64-v5", says=("x86-64-v5", "x86-64-v4"))
        self.refuse_run(*self.X, *self.G, *self.Y, "--dtype", "x=f31", says=("f31", "f32"))
        self.refuse_run(*self.X, *self.G, *self.Y, "--dtype", "w=f32", says="'w'")
        self.refuse_run(*self.X, *self.G, *self.Y, "--dtype", "beta=f32", says=("'beta'", "neither read nor written"))
        self.refuse_run(*self.X, *self.G, *self.Y, "--dtype", "y=i32", says="y=i32")
        self.refuse_run(*self.X, *self.G, *self.Y, "--axes", "x=rows,cols,depth", says="'depth'")

    def test_flags_without_a_value_and_twice(self):
        self.refuse_run("--in", "x", *self.Y, says=("--in x", "NAME=VALUE"))
        self.refuse_run(*self.X, *self.X, *self.Y, says=("x", "twice"))
        self.refuse_run(*self.X, *self.G, *self.Y, "--out", "y=z.npy", says=("y", "twice"))
        self.refuse_run(*self.X, *self.G, *self.Y, "--out", "mean=y.npy", says=("y.npy", "twice"))
        self.refuse_run(*self.X, *self.G, *self.Y, "--set", "eps=small", says=("eps", "small"))
        self.refuse_run(*self.X, *self.G, *self.Y, "--bind", "cols=four", says="four")

    def test_what_is_missing(self):
        self.refuse_run(*self.G, *self.Y, says="x")
        self.refuse_run(*self.X, *self.G, says="--out")

    def test_axes_that_do_not_match(self):
        np.save(self.path("g.npy"), np.ones(5, np.float32))
        self.refuse_run(*self.X, *self.G, *self.Y, says=("gamma", "5", "4"))
        np.save(self.path("g.npy"), np.ones(4, np.float32))
        np.save(self.path("b.npy"), np.ones(3, np.float32))
        self.refuse_run(*self.X, *self.G, "--in", "beta=b.npy", *self.Y, says=("beta", "3", "4"))
        self.refuse_run(*self.X, "--out", "y=y.npy", "--bind", "group=2", norm="group_norm", says=("group", "3"))
        self.refuse_run(*self.G[:1], "x=g.npy", *self.Y, norm="instance_norm", says="x")

    def test_packs_that_nothing_splits(self):
        self.refuse_run(*self.X, *self.Y, says=("rows", "cols", "bind one (cols=4"))
        self.refuse_run(*self.X, *self.Y, "--bind", "cols=5", says="5")

    def test_scalars_outside_their_domain(self):
        self.refuse_run(*self.X, *self.G, *self.Y, "--set", "eps=-1", says=("eps", "-1", "[0, inf)"))
        self.refuse_run(*self.X, *self.G, *self.Y, "--set", "eps=nan", says=("eps", "nan"))
        self.refuse_run(*self.X, *self.G, *self.Y, "--set", "eps=1e999", says="eps")

    def test_a_requirement_that_does_not_hold(self):
        np.save(self.path("x.npy"), np.ones((1, 3), np.float32))
        for name, value in (("gamma", 1), ("beta", 0), ("running_mean", 0), ("running_var", 1)):
            np.save(self.path(name + ".npy"), np.full(3, value, np.float32))
        words = [w for n in ("gamma", "beta", "running_mean", "running_var") for w in ("--in", f"{n}={n}.npy")]
        # One value per channel has no unbiased variance.
        self.refuse_run(*self.X, *words, *self.Y, norm="batch_norm_train", says="count")
        self.ok("run", "batch_norm_train", *self.X, *words, *self.Y, "--set", "unbiased=0")

    def test_schedules(self):
        for text, says in (
            ("rowz=2", ("rowz", "rows")),
            ("rows=two", ("rows", "two")),
            ("rows=-1", ("rows", "-1")),
            ("lanes=12", ("lanes", "12", "16")),
            ("three_pass", "three_pass"),
        ):
            self.refuse_run(*self.X, *self.G, *self.Y, "--schedule", text, says=says)
        # x86-64-v2 has no fused multiply-add: the schedule is fine and cannot apply.
        self.refuse_run(*self.X, *self.G, *self.Y, "--schedule", "fma=on", "--target", "x86-64-v2", says=("fma", "x86-64-v2"))

    def test_norm_files(self):
        for text, says in (
            ("norm a(x[rows]) -> y[rows] {\n  y = x +\n}\n", "a.norm:"),
            ("norm a(x[rows]) -> y[rows] {\n  y = sqt(x)\n}\n", ("a.norm:2:7", "sqrt")),
            ("norm a(x[rows]) -> y[rows] {\n  y = sum(x, cols)\n}\n", ("a.norm:2:14", "cols")),
            ("norm a(x[rows]) -> y[rows] {\n  y = x\n  y = x\n}\n", "a.norm:3:3"),
            ("norm a(x[rows]) -> y[rows] {\n}\n", "y"),
            ("", "a.norm"),
            (b"\x00\xff\xfe" * 100, "a.norm:1:1"),
        ):
            self.write("a.norm", text)
            message = self.refused("check", "a.norm", says=says)
            self.assertIn(message.splitlines()[0], self.refused("show", "a.norm", says=says))

    def test_ten_megabytes_of_parentheses(self):
        for text in (b"(" * 10_000_000, b"norm a(x[rows]) -> y[rows] {\n  y = " + b"(" * 10_000_000):
            self.write("a.norm", text)
            message = self.refused("check", "a.norm", says="a.norm:")
            self.assertLess(len(message), 1000)

    def test_problems(self):
        for line, says in (
            ("layer_nrm cols=768", "layer_norm"),
            ("layer_norm colz=768", ("colz", "cols")),
            ("layer_norm cols=-1", "-1"),
            ("layer_norm cols=9..3", "9..3"),
            ("layer_norm cols=99999999999999999999", "99999999999999999999"),
            ("layer_norm cols=4294967296x4294967296", "cols"),
            ("layer_norm rows=4294967296 cols=4294967296", "63 bits"),
            ("layer_norm x=f31", ("f31", "f32")),
            ("layer_norm x=none", "x"),
            ("layer_norm outputs=z", "z"),
            ("layer_norm cols=1 cols=2", "cols"),
        ):
            self.write("a.problems", f"rms_norm cols=1\n{line}\n")
            self.refused("check", "a.problems", says=("a.problems:2", *([says] if isinstance(says, str) else says)))
            self.refused("show", *line.split(), says=says)

    def test_show(self):
        self.refused("show", says="give a norm")
        self.refused("show", "layer_norm", "--stage=sweps", says=("unknown stage 'sweps'", "'sweeps'"))
        self.refused("show", "layer_norm", "--stage=sas", says=("unknown stage 'sas'", "asm"))
        self.refused("show", "layer_norm", "--target", "x86-64-v3", "--stage=ptx", says=("--stage=ptx: x86-64-v3 has none", "sm_80"))
        self.refused("show", "layer_norm", "--stage=sweeps", "--after", "fold", says="--after")
        self.refused("show", "layer_norm", "--stage=asm", "--target", "sm_90", says="sm_90")
        self.refused("show", "layer_norm", "--stage=norm", "-o", "x.npy/y", says="x.npy/y")

    def test_outputs_that_cannot_be_written(self):
        self.refuse_run(*self.X, *self.G, *self.Y, "--out", "mean=x.npy/mean.npy", says="x.npy/mean.npy")

    def test_standard_output_that_is_full(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([PROGRAM, "list"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot write to standard output", result.stderr)

    def test_help_has_examples_for_every_verb(self):
        verbs = re.findall(r"^  ([a-z]+) ", self.ok("--help").split("Subcommands:")[1], re.MULTILINE)
        self.assertLessEqual({"list", "check", "show", "run"}, set(verbs))
        for verb in verbs:
            self.assertIn(f"  normforge {verb}", self.ok(verb, "--help"))


if __name__ == "__main__":
    unittest.main()
