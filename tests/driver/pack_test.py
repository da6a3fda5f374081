"""`normforge tune --target sm_90 --pack`: the runner measures through the stand-in driver ($NORMFORGE_STAND_IN is its directory), Records come home, and a library is built
by the lockfile that they make."""

import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../cli"))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../bench/gpu"))
from program import MadeOnceTest, run, unittest
from tuning import packed_kernels

PROBLEMS = "softmax rows=1..4 cols=8\nrms_norm rows=3 cols=20 x=bf16\n"


class GpuPack(MadeOnceTest):
    @classmethod
    def make(cls):
        """A pack of PTX alone: the stand-in would have to assemble kernels to know them."""
        cls.make_file("norms.problems", PROBLEMS)
        os.environ["NORMFORGE_PTXAS"] = "no/such/ptxas"
        cls.packed = run("tune", "norms.problems", "--target", "sm_90", "--pack", "pack", "--budget", "0.4s", "--cache", "cache", cwd=cls.made)
        if cls.packed.returncode:
            raise AssertionError(cls.packed.stderr)

    def runner(self, stand_in=True, **settings):
        environment = {"NORMFORGE_STAND_IN_" + name: value for name, value in settings.items()}
        if stand_in:
            self.write("kernels.txt", packed_kernels(pathlib.Path(self.path("pack"))))
            environment |= {"LD_LIBRARY_PATH": os.environ["NORMFORGE_STAND_IN"], "NORMFORGE_STAND_IN_KERNELS": self.path("kernels.txt")}
        return subprocess.run([self.path("pack/run")], cwd=self.directory, env=environment, capture_output=True, text=True, timeout=120)

    def chosen(self):
        ran = subprocess.run([self.path("pack/run"), "--choose"], capture_output=True, text=True, env={"LD_LIBRARY_PATH": os.environ["NORMFORGE_STAND_IN"]})
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        return [line.split("\t") for line in ran.stdout.splitlines()]

    def records(self, path):
        with open(self.path(path)) as file:
            return [json.loads(line) for line in file]

    def test_measures_on_a_gpu_and_comes_home(self):
        self.assertIn("warning: the pack has PTX alone, which the GPU's driver compiles: no/such/ptxas", self.packed.stderr)
        self.assertIn("copy it to a machine with such a GPU", self.packed.stdout)
        needed = subprocess.run(["readelf", "-d", self.path("pack/run")], capture_output=True, text=True).stdout
        self.assertLessEqual(set(re.findall(r"\[(.*)\]", needed)), {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"})
        self.assertEqual(self.chosen(), [])
        ran = self.runner()
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertIn("on sm_90 64K 3 multiprocessors 1500 MHz CUDA 13.0 emulated sm_90", ran.stdout)
        records = self.records("pack/records.db")
        self.assertEqual({record["device"] for record in records}, {"sm_90 64K 3 multiprocessors 1500 MHz CUDA 13.0 emulated sm_90"})
        self.assertFalse([record["rejected"] for record in records if "rejected" in record])
        self.assertEqual({samples["regime"] for record in records for samples in record["samples"]}, {"cold"})
        for problem in ("softmax rows=1 cols=8", "softmax rows=4 cols=8", "rms_norm rows=3 cols=20 x=bf16"):
            confirmed = [record for record in records if record["problem"] == problem and any(s.get("confirms") for s in record["samples"])]
            self.assertGreater(len(confirmed), 1, problem)
        again = self.runner()
        self.assertEqual(again.stdout.count("measured before"), 2)
        self.assertEqual(self.records("pack/records.db"), records)

        self.ok("db", "merge", "pack/records.db", "--db", "home.db")
        said = self.ok("replay", "norms.problems", "--target", "sm_90", "--db", "home.db", "--lock", "norms.lock")
        self.assertIn("softmax rows=1..4 cols=8", said)
        explained = self.ok("explain", "softmax rows=1..4 cols=8", "--target", "sm_90", "--db", "home.db")
        for says in ("threads=", "which L2 holds", "    cold "):
            self.assertIn(says, explained)
        for says in ("innermost loop", "L1", "warm"):
            self.assertNotIn(says, explained)
        words = ("build", "norms.problems", "-o", "out", "--name", "norms", "--cache", "cache", "--target", "sm_80,sm_90", "--lock", "norms.lock")
        built = run(*words, cwd=self.directory)
        self.assertEqual(built.returncode, 0, built.stderr)
        locked = {entry["problem"]: entry["schedule"] for entry in self.records("norms.lock") if "problem" in entry}
        self.assertEqual({problem: schedule for _, problem, schedule in self.chosen()}, locked)
        with open(self.path("out/share/norms/manifest.json")) as file:
            kernels = [kernel for function in json.load(file)["functions"] for kernel in function["kernels"]]
        tuned = {kernel["problem"]: kernel["schedule"] for kernel in kernels if kernel["origin"] == "tuned"}
        self.assertEqual(tuned, locked)
        self.assertEqual({kernel["target"] for kernel in kernels if kernel["origin"] == "tuned"}, {"sm_90"})
        refused = run(*words, "--require-complete", cwd=self.directory)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("has no schedule for all of 'softmax rows=1..4 cols=8' for sm_80", refused.stderr)
        # What does not fit is said, field by field, and the default serves.
        for device, says in (("sm_90 32M 4 multiprocessors 1 MHz CUDA 13.0 Other", "not used, the default serves: class of device: locked for 'sm_90 64K"),
                             ("sm_90 64K 4 multiprocessors 1 MHz CUDA 13.0 Other", "used, though device: locked for 'sm_90 64K")):
            self.assertIn(says, run(*words, "--device", device, cwd=self.directory).stderr)
        self.assertIn("not used, the default serves: numerics half: locked for", run(*words[:-4], "--target", "x86-64-v3,sm_90", *words[-2:], "--same-bits", cwd=self.directory).stderr)

    def test_what_is_refused(self):
        for says, stand_in, settings in (("no driver: the CUDA driver does not load: libcuda.so.1: cannot open shared object file", False, {}),
                                         ("older than CUDA 12", True, {"VERSION": "11080"}),
                                         ("no device: the driver finds no GPU", True, {"DEVICES": "none"}),
                                         ("the CUDA driver reports error 999, unknown error", True, {"FAIL": "cuDeviceGetName=999"}),
                                         ("the CUDA driver reports error 999, unknown error", True, {"FAIL": "cuInit=999"}),
                                         ("the pack is for sm_90, and this GPU, emulated sm_80, is an sm_80; make one with 'normforge tune PROBLEMS --target sm_80", True, {"DEVICES": "80"})):
            ran = self.runner(stand_in, **settings)
            self.assertEqual((ran.returncode, ran.stdout), (1, ""), ran.stderr)
            self.assertIn(says, ran.stderr)
            self.assertEqual(ran.stderr.count("\n"), 1)
        # A driver that fails while kernels run ends none but the kernels.
        ran = self.runner(FAIL="cuLaunchKernel=719")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertTrue(all("crash: " in record["rejected"] for record in self.records("pack/records.db")))
        self.assertEqual(self.chosen(), [])


if __name__ == "__main__":
    unittest.main()
