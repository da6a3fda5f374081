"""examples/cluster: its README's commands, and what becomes of Records when workers are killed in the middle."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import distributed  # noqa: F401: dask_tune.py's
    import psutil
except ImportError:
    print("skipped: this needs Python's distributed (./dev test installs it)")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLE = HERE.parents[1] / "examples/cluster"
PROGRAM = pathlib.Path(os.environ["NORMFORGE"]).resolve()


class Cluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """The example with a pack in it, for all tests. Its time is ample: no candidate is left out for want of it, however busy the machine is."""
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.made = pathlib.Path(directory.name) / "cluster"
        shutil.copytree(EXAMPLE, cls.made)
        path = f"{PROGRAM.parent}:{HERE}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
        cls.environment = dict(os.environ, PATH=path, XDG_CACHE_HOME=str(cls.made / "cache"))
        words = ["normforge", "tune", "norms.problems", "--pack", "pack", "--budget", "60s"]
        made = subprocess.run(words, cwd=cls.made, env=cls.environment, capture_output=True, text=True)
        if made.returncode:
            raise AssertionError(made.stderr)
        cls.candidates = int(re.search(r"(\d+) candidates", made.stdout)[1])

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name) / "cluster"
        shutil.copytree(self.made, self.directory)

    def start(self, *command, **environment):
        return subprocess.Popen(command, cwd=self.directory, env=dict(self.environment, **environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish(self, process):
        output = process.communicate(timeout=900)[0]
        self.assertEqual(process.returncode, 0, output)
        return output

    def do(self, *command, **environment):
        return self.finish(self.start(*command, **environment))

    def check_whole(self):
        """All Records are there, once: each candidate at each shape, measured in one run and confirmed in one at most."""
        self.do("sh", "-c", "normforge db merge pack/records/*.db --db norms.db")
        records = [json.loads(line) for line in (self.directory / "norms.db").read_text().splitlines()]
        self.assertEqual(len(records), len({(r["problem"], r["schedule"]) for r in records}))
        by_norm = {}
        for record in records:
            if record.get("rejected") or any(not samples.get("confirms") for samples in record["samples"]):  # else at a border between bands
                by_norm.setdefault(record["problem"].split()[0], {}).setdefault(record["problem"], []).append(record)
            for confirms in (False, True):
                runs = {s["run"] for s in record["samples"] if bool(s.get("confirms")) == confirms}
                self.assertLessEqual(len(runs), 1, record["problem"])
            self.assertTrue(record["samples"] or record.get("rejected"))
        self.assertEqual({norm: len(shapes) for norm, shapes in by_norm.items()}, {"layer_norm": 3, "rms_norm": 1, "softmax": 1, "add_rms_norm": 1})
        for shapes in by_norm.values():
            self.assertEqual(len({len(found) for found in shapes.values()}), 1)
            for found in shapes.values():
                self.assertTrue(any(s.get("confirms") for r in found for s in r["samples"]))
        self.assertEqual(sum(len(next(iter(shapes.values()))) for shapes in by_norm.values()), self.candidates)

    def runners(self, process):
        """The runners that a process, or one that it started, has started, with who started each."""
        found = []
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
                if child.name() == "run" and (parent := child.parent()) and parent.name() != "run":
                    found.append((child, parent))
        return found

    def kill_one(self, process, whom):
        """Kills whom(a runner, who started it) in the middle of the runner's work."""
        while process.poll() is None:
            runners = self.runners(process)
            if len(runners) == 2:
                time.sleep(0.3)
                with contextlib.suppress(psutil.NoSuchProcess):
                    whom(*runners[0]).send_signal(signal.SIGKILL)
                    return
            time.sleep(0.05)
        self.fail(f"two workers never were at work\n{process.communicate()[0]}")

    def dask(self, whom):
        process = self.start(sys.executable, "dask_tune.py", "pack", "--workers", "2")
        self.addCleanup(process.kill)
        self.kill_one(process, whom)
        self.assertIn("4 of 4", self.finish(process))
        self.check_whole()

    def test_a_dask_worker_is_killed(self):
        self.dask(lambda runner, worker: worker)

    def test_a_runner_is_killed(self):
        self.dask(lambda runner, worker: runner)

    def test_a_slurm_task_is_killed(self):
        self.assertIn("queued again", self.do("sbatch", "--wait", "tune.sbatch", "pack", NORMFORGE_TEST_KILL="0.5"))
        self.check_whole()

    def test_readme(self):
        """Its commands and, on a machine so busy that they measure too little, the same with more time."""
        blocks = re.findall(r"^```sh\n(.*?)^```$", (EXAMPLE / "README.md").read_text("utf-8"), re.M | re.S)
        self.assertEqual(len(blocks), 2)
        shutil.rmtree(self.directory / "pack")
        for block, pack, lock in zip(blocks, ("pack", "slurm-pack"), ("norms.lock", "slurm.lock")):
            for patience in ("", "--budget 300s"):
                shutil.rmtree(self.directory / pack, ignore_errors=True)
                self.do("sh", "-ec", block.replace("normforge tune", f"normforge tune {patience}"))
                if "layer_norm" in (self.directory / lock).read_text():
                    break
            self.assertIn("layer_norm", (self.directory / lock).read_text())


if __name__ == "__main__":
    unittest.main()
