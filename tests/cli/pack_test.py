"""`normforge tune --pack`: a pack measures on its own what a search would, loses nothing when it is killed, and comes home by `db merge`."""

import collections
import json
import os
import random
import re
import shutil
import signal
import subprocess

from program import MadeOnceTest, run, unittest

PROBLEMS = "softmax rows=1..16 cols=64\nlayer_norm rows=4 cols=100 x=bf16 gamma=f32 beta=none outputs=y\nmine.norm rows=3 cols=77\n"
NORM = "norm mine(x[rows, cols]) -> y[rows, cols] {\n  y = x / max(abs(x), cols)\n}\n"
LONG = bool(os.environ.get("NORMFORGE_LONG"))


class Packs(MadeOnceTest):
    @classmethod
    def make(cls):
        """A pack whose time is ample: no candidate is left out for want of it, however busy the machine is."""
        cls.make_file("norms.problems", PROBLEMS)
        cls.make_file("mine.norm", NORM)
        result = run("tune", "norms.problems", "--pack", "pack", "--budget", "60s", "--cache", "cache", cwd=cls.made)
        if result.returncode:
            raise AssertionError(result.stderr)
        cls.candidates = int(re.search(r"(\d+) candidates", result.stdout)[1])

    def runner(self, *words, directory="pack", **options):
        return subprocess.run([self.path(directory + "/run"), *words], cwd=self.directory, env={}, capture_output=True, text=True, **options)

    def measured(self, *words, **options):
        result = self.runner(*words, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def merged(self, *databases):
        """Records by (problem, schedule), after `db merge`."""
        self.ok("db", "merge", *databases, "--db", "home.db")
        with open(self.path("home.db")) as file:
            records = [json.loads(line) for line in file]
        self.assertEqual(len({json.dumps([r[k] for k in ("problem", "schedule", "code", "device")]) for r in records}), len(records))
        return {(r["problem"], r["schedule"]): r for r in records}

    def runs(self, record, confirms):
        return {samples["run"] for samples in record["samples"] if bool(samples.get("confirms")) == confirms}

    def check_whole(self, records):
        """Every candidate of every shape is there, and was searched and confirmed in one run at most."""
        shapes, borders = collections.Counter(), set()
        for (problem, schedule), record in records.items():
            searched = record.get("rejected") or any(not samples.get("confirms") for samples in record["samples"])
            if searched:
                shapes[problem] += 1
            else:  # between two shapes that other schedules win
                borders.add(problem)
            for confirms in (False, True):
                self.assertLessEqual(len(self.runs(record, confirms)), 1, (problem, schedule, confirms))
            if not record.get("rejected"):
                self.assertTrue(record["samples"], (problem, schedule))
        self.assertEqual(len(shapes), 5)  # rows=1, 8 and 16 of softmax, and the others'
        of_softmax = [n for problem, n in shapes.items() if problem.startswith("softmax")]
        self.assertEqual(len(set(of_softmax)), 1)
        self.assertEqual(sum(shapes.values()) - 2 * of_softmax[0], self.candidates)
        self.assertTrue(all(problem.startswith("softmax") for problem in borders), borders)
        for problem in [*shapes, *borders]:
            confirmed = [s for (of, _), r in records.items() if of == problem for s in r["samples"] if s.get("twin") and s.get("confirms")]
            self.assertTrue(confirmed, problem)

    def test_measures_alone_and_comes_home(self):
        self.assertNotIn("INTERP", subprocess.run(["readelf", "-lW", self.path("pack/run")], capture_output=True, text=True).stdout)
        shutil.move(self.path("pack"), self.path("elsewhere"))
        self.measured(directory="elsewhere")
        first = os.path.getsize(self.path("elsewhere/records.db"))
        self.assertIn("measured before", self.measured(directory="elsewhere"))
        self.assertEqual(os.path.getsize(self.path("elsewhere/records.db")), first)
        self.check_whole(self.merged("elsewhere/records.db"))
        # The answer is found here: the same each time, in a lockfile that a library is built from.
        once = self.ok("replay", "norms.problems", "--db", "home.db", "--lock", "norms.lock")
        self.assertEqual(self.ok("replay", "norms.problems", "--db", "elsewhere/records.db"), once)
        self.assertIn("softmax rows=1..16 cols=64", once)
        target = next(iter(self.merged("home.db").values()))["target"]
        self.ok("build", "norms.problems", "--target", target, "--lock", "norms.lock", "--require-complete", "-o", "library", "--name", "norms", "--cache", "cache")
        # A search goes on from there: what the pack measured is not measured again, but for the fastest, which newcomers are compared with.
        before = self.merged("home.db")
        run("tune", "norms.problems", "--resume", "--db", "home.db", "--budget", "2s", "--cache", "cache", cwd=self.directory)
        after = self.merged("home.db")
        again = [key for key in before if len(self.runs(after[key], False)) > len(self.runs(before[key], False))]
        self.assertLess(len(again), len(before) / 2)

    @unittest.skipUnless(os.geteuid() == 0, "chroot is root's")
    def test_needs_nothing_of_the_machine(self):
        root = self.path("pack")
        result = subprocess.run(["/run", "/0001-softmax.problem", "--db", "/r.db"], preexec_fn=lambda: os.chroot(root), cwd="/", env={}, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertGreater(os.path.getsize(self.path("pack/r.db")), 0)

    def test_survives_kills(self):
        dice, kills = random.Random(1), 0
        while kills < (200 if LONG else 12):
            child = subprocess.Popen([self.path("pack/run")], env={}, stdout=subprocess.DEVNULL, start_new_session=True)
            try:
                self.assertEqual(child.wait(dice.uniform(0.01, 0.6)), 0)
                break
            except subprocess.TimeoutExpired:
                os.kill(child.pid, signal.SIGKILL)
                child.wait()
                kills += 1
        self.measured()
        self.check_whole(self.merged("pack/records.db"))

    def test_shards_share_it_out(self):
        for shard in (1, 2):
            self.measured("--shard", f"{shard}/2", "--db", f"{shard}.db")
        self.check_whole(self.merged("1.db", "2.db"))

    def test_two_runners_take_turns(self):
        both = [subprocess.Popen([self.path("pack/run")], env={}, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        outputs = [each.communicate()[0] for each in both]
        self.assertEqual([each.returncode for each in both], [0, 0])
        self.assertIn("another runner", "".join(outputs))
        self.check_whole(self.merged("pack/records.db"))

    def test_bad_input(self):
        self.bad("norms.problems", "--pack", "pack", expected="not an empty directory")
        self.bad("norms.problems", "--pack", "other", "--effort", "estimate", expected="nothing to measure")
        self.bad("norms.problems", "--pack", "other", "--resume", expected="--resume")
        self.bad("norms.problems", "--pack", "norms.problems", expected="not an empty directory")
        self.bad("norms.problems", "--pack", "/proc/pack", expected="/proc/pack")
        self.assertEqual(sorted(os.listdir(self.directory)), ["cache", "mine.norm", "norms.problems", "pack"])
        for words, expected in ((["--shard", "3/2"], "--shard 3/2: expected I/N"), (["--shard", "x"], "expected I/N"), (["--db", "/proc/r.db"], "/proc/r.db"), (["absent.problem"], "absent.problem")):
            result = self.runner(*words)
            self.assertEqual(result.returncode, 1, words)
            self.assertIn(expected, result.stderr)
            self.assertEqual(result.stderr.count("\n"), 1)
        # Nothing is measured where one file is damaged.
        name = self.path("pack/0002-layer_norm.problem")
        with open(name, "r+b") as file:
            file.seek(-1000, os.SEEK_END)
            file.write(b"?")
        result = self.runner()
        self.assertEqual(result.returncode, 1)
        self.assertIn("checksum does not match; copy it again", result.stderr)
        self.assertEqual(os.path.getsize(self.path("pack/records.db")), 0)

    def bad(self, *words, expected):
        result = run("tune", *words, cwd=self.directory)
        self.assertNotEqual(result.returncode, 0, words)
        self.assertIn(expected, result.stderr)

    def test_another_level(self):
        self.assertEqual(run("tune", "norms.problems", "--target", "x86-64-v2", "--pack", "v2", "--budget", "1s", "--cache", "cache", cwd=self.directory).returncode, 0)
        self.measured("--db", "v2.db", directory="v2")
        self.assertIn("softmax", self.ok("replay", "norms.problems", "--target", "x86-64-v2", "--db", "v2.db"))


if __name__ == "__main__":
    unittest.main()
