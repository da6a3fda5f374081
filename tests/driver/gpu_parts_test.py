"""The parts of `./dev gpu` that need no driver: processes that do not come back, what a kit is made of, cases, report and plots."""

import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import unittest
import unittest.mock
import xml.etree.ElementTree
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench/gpu"))
import bench
import cases
import clock
import driver
import plot
import prepare
import steps
import targets
import tuned


class Workers(unittest.TestCase):
    """Processes that measure and do not come back."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        (pathlib.Path(directory.name) / "kit").mkdir()
        (pathlib.Path(directory.name) / "kit/kit.json").write_text('{"emulated": true}')
        with tarfile.open(pathlib.Path(directory.name) / "kit.tar.xz", "w:xz") as tar:
            tar.add(pathlib.Path(directory.name) / "kit", "kit")
        self.output = steps.Output(directory.name)

    def work_as(self, script, minutes=None):
        for name, value in (("WORKER", [sys.executable, "-c", script]), ("MOST_DEATHS", 2), ("STUCK_SECONDS", 1), ("GRACE_SECONDS", 0)):
            self.addCleanup(setattr, bench, name, getattr(bench, name))
            setattr(bench, name, value)
        return bench.run_bench(self.output, clock.Clock(minutes), dict(os.environ))

    def trying(self, contestant):
        self.output.write("bench/trying", {"case": "softmax-f32-4x64", "contestant": contestant})
        return self.output.path("bench/trying").read_text()

    def work_on(self, contestant, then, minutes=None):
        path = self.output.path("bench/trying")
        return self.work_as(f"import os, pathlib, time; pathlib.Path({str(path)!r}).write_text({self.trying(contestant)!r}); {then}", minutes)

    def test_who_ends_the_process_is_left_out(self):
        self.assertFalse(self.work_on("quack", "os.abort()"))
        found = self.output.read("bench/softmax-f32-4x64")
        self.assertEqual((found["error"], found["broke"]), ("quack ended the process (exit status -6)", ["quack"]))
        self.assertEqual(bench.cases_left(self.output, tuned.Choices(None, self.output.directory / "none", None))[-1].name, "softmax-f32-4x64")

    def test_who_never_comes_back_is_left_out(self):
        self.assertFalse(self.work_on("liger", "time.sleep(60)"))
        found = self.output.read("bench/softmax-f32-4x64")
        self.assertEqual((found["error"], found["broke"]), ("liger did not come back", ["liger"]))

    def test_nobody_is_blamed_when_the_time_is_over(self):
        self.assertTrue(self.work_on("liger", "time.sleep(60)", minutes=0.001))
        self.assertIsNone(self.output.read("bench/softmax-f32-4x64"))

    def test_normforge_is_never_left_out(self):
        self.work_on("normforge", "os.abort()")
        self.assertEqual(self.output.read("bench/softmax-f32-4x64")["broke"], [])

    def test_what_normforge_does_wrong_is_told_of_its_case(self):
        class Wrong:
            copy_speed = 1

            def __init__(self, *arguments):
                pass

            def run(self, case, broke):
                raise cases.Absent("its results lie too far from the f64 ones")

        self.output.write("device", {})
        with unittest.mock.patch.multiple(bench, Library=Wrong, PackedLibrary=Wrong, Normforge=Wrong, Bench=Wrong, contestants=lambda *_: ([], {})):
            self.assertTrue(bench.work(self.output, None, unittest.mock.Mock()))
        found = self.output.read("bench/softmax-f32-4x64")
        self.assertEqual((found["passed"], found["error"]), (False, "its results lie too far from the f64 ones"))

    def test_a_worker_that_cannot_begin(self):
        with self.assertRaisesRegex(driver.GpuError, "ended before its first case"):
            self.work_as("raise SystemExit(1)")


class Kits(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def test_too_large_a_kit_is_refused(self):
        kit = self.directory / "kit"
        kit.mkdir()
        (kit / "peers").write_bytes(os.urandom(3_000_000))
        packed = self.directory / "kit.tar.xz"
        packed.write_bytes(b"0")
        prepare.check_size(packed, kit, self.directory)
        with open(packed, "ab") as file:
            file.truncate(prepare.MOST_BYTES + 1)
        with self.assertRaisesRegex(SystemExit, "^gpu: the kit has 60.0 MB, more than 60: peers 3 MB; leave out wheels, or have fewer problems tuned"):
            prepare.check_size(packed, kit, self.directory)

    def test_wheels_are_unpacked(self):
        with self.assertRaisesRegex(SystemExit, "there are no wheels"):
            prepare.add_peers(self.directory / "peers", self.directory)
        with zipfile.ZipFile(self.directory / "peer-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("peer/__init__.py", "")
        self.assertEqual(prepare.add_peers(self.directory / "peers", self.directory), ["peer-1.0-py3-none-any.whl"])
        self.assertTrue((self.directory / "peers/peer/__init__.py").exists())

    def test_targets_are_those_of_the_program(self):
        self.assertEqual(targets.gpu_targets()[0], "sm_80")
        for name in targets.gpu_targets():
            shown = subprocess.run([os.environ["NORMFORGE"], "show", "softmax", "cols=4", "--target", name], capture_output=True, text=True)
            self.assertEqual(shown.returncode, 0, shown.stderr)


class Reporting(unittest.TestCase):
    def test_rows_of_the_table_are_what_the_norms_compute(self):
        row = {"x": [1.0, 2.0, 3.0, 6.0], "gamma": [1.0] * 4, "beta": [0.5] * 4, "residual": [1.0] * 4}
        self.assertAlmostEqual(sum(cases.softmax(row, None)["y"]), 1)
        self.assertAlmostEqual(sum(cases.layer_norm(row, 0)["y"]), 2)
        self.assertAlmostEqual(cases.rms_norm(row, 0)["y"][3], 6 / 12.5**0.5)
        self.assertEqual(cases.add_rms_norm(row, 0)["sum"], [2, 3, 4, 7])
        self.assertEqual(cases.rms_norm_quant(row, 0)["y"], [21, 42, 64, 127])

    def test_least_bytes(self):
        self.assertEqual(cases.Case("layer_norm", "bf16", 8, 64).moved_bytes(), 2 * (2 * 8 * 64 + 2 * 64))
        self.assertEqual(cases.Case("rms_norm_quant", "f32", 8, 64).moved_bytes(), 5 * 8 * 64 + 4 * 64 + 4 * 8)

    def test_shapes_of_the_benchmark(self):
        every = cases.cases(False)
        self.assertEqual(len(every), 5 * 2 * 19 * 5)
        self.assertEqual(len({case.name for case in every}), len(every))
        self.assertEqual((every[0].rows, min(c.cols for c in every), max(c.cols for c in every)), (8192, 64, 262144))

    def test_plots_keep_to_their_frame(self):
        panels = [("norm", {"normforge": [(64, 0.5, True), (262144, 1.7, False)], "eager": [(64, 0.1, True)]}), ("other", {})]
        root = xml.etree.ElementTree.fromstring(plot.svg("a <title>", [("8 rows", panels), ("1 row", panels)]))
        of = lambda element, name: list(element.iter("{http://www.w3.org/2000/svg}" + name))
        width, height = float(root.get("width")), float(root.get("height"))
        drawn, before = of(root, "g"), 0
        self.assertEqual([len(of(row, "polyline")) for row in drawn], [2, 2])
        for row in drawn:
            down = float(row.get("transform").split()[1].rstrip(")"))
            for mark in of(row, "circle"):
                self.assertTrue(0 < float(mark.get("cx")) < width and before < down + float(mark.get("cy")) < height)
            self.assertEqual([mark.get("fill") == "white" for mark in of(row, "circle")], [False, True, False])
            before = down + max(float(mark.get("y")) for mark in of(row, "text"))


if __name__ == "__main__":
    unittest.main()
