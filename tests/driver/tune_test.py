"""`normforge tune --target sm_90` and `db verify` on a machine that has such a GPU: the stand-in driver ($NORMFORGE_STAND_IN is its directory), which runs what the
program's cache of compiled kernels holds."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../cli"))
from program import PROGRAM, ProgramTest, unittest

GPU = "sm_90 64K 3 multiprocessors 1500 MHz CUDA 13.0 emulated sm_90"


class TuneOnGpu(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("norms.problems", "softmax rows=4 cols=8\n")

    def program(self, *words, stand_in=True, **settings):
        """Of PTX alone: the emulator runs it, and no assembler takes its time."""
        environment = dict(os.environ, NORMFORGE_PTXAS="no/such/ptxas") | {"NORMFORGE_STAND_IN_" + name: value for name, value in settings.items()}
        if stand_in:
            environment |= {"LD_LIBRARY_PATH": os.environ["NORMFORGE_STAND_IN"], "NORMFORGE_STAND_IN_KERNELS": self.path("cache")}
        words = (PROGRAM, *words, "norms.problems", "--target", "sm_90", "--cache", "cache")
        return subprocess.run(words, cwd=self.directory, env=environment, capture_output=True, text=True, timeout=300)

    def records(self):
        with open(self.path("normforge.db")) as file:
            return [json.loads(line) for line in file]

    def test_searches_measures_and_chooses(self):
        for budget in ("4s", "20s", "100s"):  # on a busy machine
            ran = self.program("tune", "--budget", budget)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            records = self.records()
            if "not finished" not in ran.stdout and len({record["schedule"] for record in records}) > 2:
                break
        else:
            self.fail(ran.stdout)
        self.assertEqual({(record["device"], record["target"]) for record in records}, {(GPU, "sm_90")})
        self.assertFalse([record for record in records if "rejected" in record])
        samples = [samples for record in records for samples in record["samples"]]
        self.assertEqual({each["regime"] for each in samples}, {"cold"})
        self.assertTrue(any(each.get("confirms") for each in samples) and any(not each.get("confirms") for each in samples))
        with open(self.path("normforge.lock")) as file:
            entries = [entry for entry in map(json.loads, file) if "problem" in entry]
        self.assertEqual([(entry["problem"], entry["target"], entry["device"]) for entry in entries], [("softmax rows=4 cols=8", "sm_90", GPU)])

        # What is known is not measured again, but for the fastest, which newcomers are compared with.
        searched = lambda: {record["code"]: sum(not each.get("confirms") for each in record["samples"]) for record in self.records()}
        before = searched()
        again = self.program("tune", "--budget", "4s", "--resume")
        self.assertEqual(again.returncode, 0, again.stderr)
        default = next(record["code"] for record in records if any(each.get("twin") for each in record["samples"]))
        after = searched()
        twice = [code for code, count in before.items() if after[code] > count and code != default]
        self.assertTrue(not twice or after.keys() > before.keys(), twice)
        self.assertLessEqual(len(twice), len(before) / 2)

        verified = self.program("db", "verify", "--sample", "0")
        self.assertEqual(verified.returncode, 0, verified.stderr)
        self.assertIn(", 0 of them do not hold", verified.stdout)

    def test_a_gpu_that_fails_ends_no_more_than_kernels(self):
        ran = self.program("tune", "--budget", "4s", FAIL="cuLaunchKernel=719")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertTrue(all("error 719, " in record["rejected"] for record in self.records()))
        self.assertIn("not finished", ran.stdout)

    def test_machines_that_do_not_measure_it(self):
        remedy = "make a pack with 'normforge tune PROBLEMS --target sm_90 --pack DIR', and start DIR/run on a machine that runs it"
        for says, stand_in, settings in (("no driver: the CUDA driver does not load: libcuda.so.1: cannot open shared object file", False, {}),
                                         ("older than CUDA 12", True, {"VERSION": "11080"}),
                                         ("no device: the driver finds no GPU", True, {"DEVICES": "none"}),
                                         ("this GPU, emulated sm_80, is an sm_80", True, {"DEVICES": "80"})):
            for verb in (("tune",), ("db", "verify", "--db", "empty.db")):
                self.write("empty.db", "")
                ran = self.program(*verb, stand_in=stand_in, **settings)
                self.assertEqual((ran.returncode, ran.stdout), (1, ""), ran.stderr)
                self.assertTrue(ran.stderr.startswith("normforge: this machine does not measure sm_90 code: "), ran.stderr)
                self.assertIn(says, ran.stderr)
                self.assertTrue(ran.stderr.endswith(remedy + "\n") and ran.stderr.count("\n") == 1, ran.stderr)
            self.assertFalse(os.path.exists(self.path("normforge.db")) or os.path.exists(self.path("normforge.lock")))


if __name__ == "__main__":
    unittest.main()
