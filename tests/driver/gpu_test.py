"""`./dev gpu --emulate`: the kit is made, everything runs to its end on the stand-in driver, a second call goes on where the first one was
cut off, and what fails is said. NORMFORGE_STAND_IN is the stand-in's directory."""

import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["NORMFORGE"]).resolve().parents[1]
BENCH = ROOT / "bench/gpu"
sys.path.insert(0, str(BENCH))
import cases
import contestants
import driver
import library
import measure


def run(script, *words, **environment):
    command = [sys.executable, "-B", BENCH / script, *words]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, env=os.environ | environment)


@functools.cache
def made_kit():
    directory = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(directory.cleanup)
    return make_kit(pathlib.Path(directory.name))


def make_kit(directory):
    result = run("prepare.py", BUILD, directory / "kit.tar.xz", "--emulate", XDG_CACHE_HOME=str(directory))
    if result.returncode:
        raise AssertionError(result.stderr)
    return directory / "kit.tar.xz"


class Kit(unittest.TestCase):
    """Tests on a copy of a kit, which is made once."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.out = pathlib.Path(directory.name)
        shutil.copy(made_kit(), self.out / "kit.tar.xz")

    def gpu(self, *words, **settings):
        environment = {"NORMFORGE_STAND_IN_" + name: value for name, value in settings.items()}
        return run("gpu.py", self.out, "--stand-in", os.environ["NORMFORGE_STAND_IN"], *words, **environment)

    def read(self, name):
        return json.loads((self.out / f"{name}.json").read_text())


class Emulated(Kit):
    def test_runs_to_its_end_and_goes_on(self):
        before = made_kit().read_bytes()
        self.assertEqual(make_kit(made_kit().parent).read_bytes(), before, "the same kit, made again, has other bytes")
        failed = self.gpu("--only", "conformance", FAIL="cuLaunchKernel=719")
        self.assertEqual(failed.returncode, 1)
        self.assertRegex(failed.stdout, "conformance-suite_f32: FAILED: [0-9]+ tests, [0-9]+ failed; see conformance-suite_f32.log")
        self.assertGreater(len(self.read("conformance-suite_f32")["failed"]), 4)
        failed = self.gpu("--only", "bench", FAIL="cuLaunchKernel=719")
        self.assertIn("layer_norm-bf16-4x64: layer_norm_bf16: the CUDA driver reports an error (719, of the stand-in)", failed.stdout)
        self.assertIn("not everything passed", failed.stderr)
        result = self.gpu()
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        results = self.read("results")
        self.assertGreater(self.read("conformance-suite_f32")["tests"], 5)
        self.assertIn("1 problems, on sm_90", (self.out / "tune.log").read_text())
        self.assertRegex(result.stdout, "tune: passed: [1-9][0-9]* records of times")
        self.assertEqual(len(results["bench"]), len(cases.cases(True)))
        for case in results["bench"]:
            answer = case["results"]["normforge"]
            self.assertLessEqual(answer["deviation"], 1)
            self.assertTrue(answer["captured"])
            was_tuned = (case["norm"], case["dtype"], case["cols"]) == ("add_rms_norm", "f32", 64)
            self.assertEqual(answer["schedules"], "tuned here" if was_tuned else "default")
            self.assertIn("add_rms_norm rows=1..4 cols=64" if was_tuned else "specialized: ", answer["problem" if was_tuned else "why"])
            self.assertEqual("launch_seconds" in answer, case["rows"] == 1)
        self.assertEqual(results["device"]["device"], "emulated sm_90")
        self.assertEqual(set(results["device"]["absent"]), {"eager", "compile", "triton", "quack", "liger"})
        for dtype in cases.DTYPES:
            xml.etree.ElementTree.parse(self.out / f"results_{dtype}.svg")
        one = self.out / "bench/softmax-f32-1x64.json"
        self.goes_on_elsewhere()
        before = (self.out / "bench/softmax-f32-4x64.json").stat().st_mtime_ns
        one.unlink()
        again = self.gpu()
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(again.stdout.count("softmax-f32-"), 1)
        self.assertNotIn("conformance", again.stdout)
        self.assertTrue(one.exists())
        self.assertEqual((self.out / "bench/softmax-f32-4x64.json").stat().st_mtime_ns, before)

    def goes_on_elsewhere(self):
        """From two files that were carried from here, with no time for anything new."""
        with tempfile.TemporaryDirectory() as elsewhere:
            for name in ("kit.tar.xz", "found.tar.xz"):
                shutil.copy(self.out / name, elsewhere)
            words = [elsewhere, "--stand-in", os.environ["NORMFORGE_STAND_IN"], "--minutes", "0.01"]
            again = run("gpu.py", *words)
            self.assertEqual((again.returncode, again.stderr), (0, ""))
            self.assertNotIn("cases are left", again.stdout)
            self.assertIn("bench: 40 of 40 shapes are right", again.stdout)

    def test_a_run_that_is_short_of_time(self):
        cut = self.gpu("--minutes", "0.001")
        self.assertEqual((cut.returncode, cut.stderr), (0, ""))
        for left in ("conformance-suite_f32: the time is over; the same", "tune: the time is over; the same", "bench: 40 of 40 cases are left; the same"):
            self.assertIn(f"gpu: {left} command goes on with", cut.stdout)

    def test_a_kit_with_nothing_to_tune(self):
        with tempfile.TemporaryDirectory() as scratch:
            with tarfile.open(self.out / "kit.tar.xz") as tar:
                tar.extractall(scratch)
            shutil.rmtree(f"{scratch}/kit/pack")
            with tarfile.open(self.out / "kit.tar.xz", "w:xz", preset=0) as tar:
                tar.add(f"{scratch}/kit", "kit")
        ran = self.gpu("--only", "tune")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertIn("tune: skipped: the kit has nothing to tune", ran.stdout)
        ran = self.gpu("--only", "bench")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertEqual({case["results"]["normforge"]["schedules"] for case in self.read("results")["bench"]}, {"default"})

    def test_what_is_missing_is_said(self):
        none = self.gpu(DEVICES="none")
        self.assertEqual((none.returncode, none.stderr), (1, "gpu: cuInit: the CUDA driver reports error 100, no CUDA-capable device is detected\n"))
        self.assertIn("is for the emulator", run("gpu.py", self.out).stderr)
        for words, says in ((("--minutes", "0"), "expected more than 0, not 0"), (("--minutes", "soon"), "invalid float value: 'soon'")):
            self.assertRegex(self.gpu(*words).stderr, f"^gpu: argument --minutes: {says}\n$")
        asked = subprocess.run([ROOT / "dev", "gpu", "--out", self.out, "--tune", "3"], capture_output=True, text=True)
        self.assertEqual((asked.returncode, asked.stdout), (1, ""))
        self.assertIn("gpu: --tune is for a new kit", asked.stderr)
        (self.out / "found.tar.xz").write_text("nothing")
        self.assertRegex(self.gpu().stderr, "^gpu: .*/found.tar.xz is damaged .*; bring it anew from where it was made, or go on without it\n$")
        (self.out / "kit.tar.xz").write_bytes(made_kit().read_bytes()[:1000])
        damaged = self.gpu()
        self.assertEqual(damaged.returncode, 1)
        self.assertIn("kit.tar.xz is damaged", damaged.stderr)
        (self.out / "kit.tar.xz").unlink()
        self.assertIn("./dev gpu --prepare makes it", self.gpu().stderr)
        refused = run("prepare.py", self.out, self.out / "kit.tar.xz")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("is not there", refused.stderr)
        self.assertEqual(run("prepare.py", self.out, self.out / "kit.tar.xz", "--tune", "-1").stderr, "gpu: argument --tune: expected 0 or more, not -1\n")

    def test_a_gpu_that_does_not_run_the_kit(self):
        for level, says in (("80", "the kit is for sm_90, this GPU is sm_80; make one by ./dev gpu --prepare --target sm_80"),
                            ("87", "the kit is for sm_90, this GPU is sm_87; make one by ./dev gpu --prepare --target sm_86"),
                            ("75", "this GPU is sm_75, normforge has code for sm_80 and later")):
            refused = self.gpu(DEVICES=level)
            self.assertEqual((refused.returncode, refused.stdout, refused.stderr), (1, "", f"gpu: {says}\n"))
        self.assertEqual(self.gpu("--only", "sanitizer").returncode, 0)
        self.assertEqual(self.gpu("--only", "sanitizer", DEVICES="100").stderr, f"gpu: what is in {self.out} was found on emulated sm_90, "
                         "this GPU is emulated sm_100; give another directory with --out\n")
        look = lambda level: run("gpu.py", self.out, "--look", LD_LIBRARY_PATH=os.environ["NORMFORGE_STAND_IN"], NORMFORGE_STAND_IN_DEVICES=level)
        self.assertEqual([look(level).stdout for level in ("80", "89", "100")], ["sm_80\n", "sm_89\n", "sm_90\n"])

    def test_without_a_driver_no_kit_is_made(self):
        (self.out / "libcuda.so.1").write_text("")
        environment = os.environ | {"LD_LIBRARY_PATH": str(self.out)}
        refused = subprocess.run([ROOT / "dev", "gpu", "--out", self.out / "new"], capture_output=True, text=True, env=environment)
        self.assertEqual((refused.returncode, refused.stdout), (1, ""))
        self.assertRegex(refused.stderr, "^gpu: no driver: .*libcuda.so.1: file too short; without a GPU, ./dev gpu --emulate\n$")
        self.assertFalse((self.out / "new").exists())

    def test_ends_without_a_traceback(self):
        refused = self.gpu("--only", "foo")
        self.assertEqual((refused.returncode, refused.stdout), (1, ""))
        self.assertRegex(refused.stderr, "^gpu: argument --only: invalid choice: 'foo' .*\n$")
        words = [sys.executable, "-B", BENCH / "gpu.py", self.out, "--stand-in", os.environ["NORMFORGE_STAND_IN"], "--only", "conformance"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as going:
            self.assertIn("keeps what is found", going.stdout.readline())
            going.send_signal(signal.SIGINT)
            self.assertEqual(going.communicate(timeout=60), ("", "gpu: stopped; the same command goes on from here\n"))
            self.assertEqual(going.returncode, 1)
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as going:
            going.stdout.close()
            self.assertEqual((going.stderr.read(), going.wait(timeout=60)), ("", 1))


class Stand:
    """A contestant that copies the right result, made by normforge, or does worse."""

    def __init__(self, name, normforge, fault=""):
        self.name, self.normforge, self.fault = name, normforge, fault

    def prepare(self, case, buffers):
        if self.fault == "absent":
            raise cases.Absent("it has no such norm")
        self.buffers = buffers

    def enqueue(self, i):
        pass

    def outputs(self):
        if self.fault == "wrong":
            return {"y": self.buffers.sets[0]["x"]}
        if self.fault == "breaking":
            os.environ["NORMFORGE_STAND_IN_FAIL"] = "cuStreamSynchronize=719"
            raise RuntimeError("an illegal memory access was encountered")
        return self.buffers.sets[0]

    def capture(self, count):
        if self.fault == "uncaptured":
            raise RuntimeError("it  waits\n for the GPU")
        return self.replay, lambda: None

    def replay(self):
        if self.fault == "late":
            raise RuntimeError("out of memory")

    def free(self):
        pass


class Racing(Kit):
    def test_contestants_that_cannot_race(self):
        self.assertEqual(self.gpu(DEVICES="none").returncode, 1)  # unpacks
        os.environ["NORMFORGE_STAND_IN_KERNELS"] = str(self.out / "kernels.txt")
        self.addCleanup(os.environ.pop, "NORMFORGE_STAND_IN_KERNELS")
        gpu = driver.Driver(os.environ["NORMFORGE_STAND_IN"] + "/libcuda.so.1")
        ours = contestants.Normforge(library.Library(next(self.out.glob("kit-*")) / "libbench.so"), gpu)
        field = [ours] + [Stand(fault or "peer", ours, fault) for fault in ("", "absent", "wrong", "uncaptured", "late")]
        found = measure.Bench(gpu, field, measure.EMULATED).run(cases.Case("rms_norm", "f32", 1, 64))
        results = found["results"]
        self.assertEqual({name for name, answer in results.items() if "seconds" in answer}, {"normforge", "peer", "uncaptured"})
        self.assertEqual(results["absent"], {"absent": "it has no such norm"})
        self.assertIn("too far from the f64", results["wrong"]["absent"])
        self.assertEqual(results["late"], {"absent": "RuntimeError: out of memory"})
        self.assertEqual(results["uncaptured"]["capture_error"], "RuntimeError: it waits for the GPU")
        self.assertEqual([results[name]["captured"] for name in ("normforge", "peer", "uncaptured")], [True, True, False])
        breaking = measure.Bench(gpu, [ours, Stand("breaking", ours, "breaking")], measure.EMULATED)
        with self.assertRaisesRegex(measure.Broken, "^breaking broke the GPU's context: RuntimeError: an illegal memory access") as broken:
            breaking.run(cases.Case("rms_norm", "f32", 1, 64))
        del os.environ["NORMFORGE_STAND_IN_FAIL"]
        results = breaking.run(cases.Case("rms_norm", "f32", 1, 64), [broken.exception.contestant])["results"]
        self.assertEqual(results["breaking"], {"absent": "it broke the GPU's context before"})
        self.assertIn("seconds", results["normforge"])
        huge = cases.Case("softmax", "f32", 1 << 20, 1 << 10)
        self.assertIn("softmax-f32-1048576x1024 needs 8192 MiB of the GPU's memory", measure.Bench(gpu, field, measure.EMULATED).run(huge)["skipped"])


if __name__ == "__main__":
    unittest.main()
