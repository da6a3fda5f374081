"""`normforge tune`, `explain`, `replay` and `devices` as a person uses them: from a file of problems to a library, with a Ctrl-C in the middle, with kernels
that are broken on purpose, and with what cannot work. How fast anything is plays no part."""

import hashlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time

from program import PROGRAM, ProgramTest, run, unittest

SMALL = "rms_norm rows=16 cols=64 outputs=y"


class Tune(ProgramTest):
    def tune(self, text, *words, problems="norms.problems", resume=False):
        """Runs a search with files of its own to its end, which on a busy machine takes more than one budget; what it printed."""
        self.write(problems, text)
        budget = f"{3 * (1 + text.count(chr(10)))}s"
        for more in [("--resume",) if resume else ()] + [("--resume",)] * 9:
            words_now = ("tune", problems, "--db", "db", "--lock", "lock", "--cache", "cache", "--budget", budget, *words, *more)
            result = run(*words_now, cwd=self.directory)
            self.assertEqual(result.returncode, 0, result.stderr)
            if not re.search(r'not finished|"complete": false', result.stdout):
                return result.stdout
        self.fail("not finished in ten budgets")

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def records(self):
        return [json.loads(line) for line in self.read("db").splitlines()]

    def entries(self):
        return [json.loads(line) for line in self.read("lock").splitlines()[1:]]

    def build(self, *words):
        self.ok("build", "norms.problems", "-o", "library", "--name", "tuned", "--lock", "lock", "--target", self.entries()[0]["target"], *words)

    def replays(self, *words):
        """The samples alone lead to the same lockfile."""
        self.ok("replay", "norms.problems", "--db", "db", "--lock", "again", *words)
        self.assertEqual(self.read("again"), self.read("lock"))

    def test_from_problems_to_a_library(self):
        problems = [
            "layer_norm rows=1..64 cols=48 x=bf16 outputs=y",
            "add_rms_norm rows=16 cols=64 inplace=sum:residual",
            "batch_norm_train batch=4 channel=3 space=49 outputs=y",
        ]
        text = self.tune("\n".join(problems), "--pin", "--threads", "2")
        for problem in problems:
            self.assertIn(problem, text)
            self.assertIn("chosen for " + problem.split()[0], self.ok("explain", *problem.split(), "--db", "db", "--threads", "2"))
        self.replays("--threads", "2")
        self.assertEqual({entry["problem"].split()[0] for entry in self.entries()}, {problem.split()[0] for problem in problems})
        for entry in self.entries():
            winner = next(band for band in self.explanation(entry["problem"], "--threads", "2")["bands"] if band["problem"] == entry["problem"])
            self.assertEqual(winner["schedule"], entry["schedule"])
            self.assertGreaterEqual(entry["gain"], 0.99)
        self.build("--require-complete")

    def explanation(self, problem, *words):
        return json.loads(self.ok("explain", *problem.split(), "--db", "db", "--json", *words))

    def test_what_the_programs_say_to_programs(self):
        (told,) = json.loads(self.tune(SMALL, "--json"))
        self.assertTrue(told["complete"])
        self.assertFalse(told["bits_change"])
        (again,) = json.loads(self.ok("replay", "norms.problems", "--db", "db", "--json"))
        self.assertEqual(again, told)
        explained = self.explanation(SMALL)
        self.assertEqual(explained["default"], told["default"])
        self.assertIn(told["default"], [kernel["schedule"] for kernel in explained["kernels"]])
        for kernel in explained["kernels"]:
            self.assertTrue(any(loop["vector"] and loop["loads"] for loop in kernel["inner_loops"]), kernel)
        (shape,) = explained["shapes"]
        self.assertEqual((shape["bytes"], shape["bytes_read_again"]), (4 * (2 * 16 * 64 + 64), 4 * 16 * 64), "x twice; gamma and y once")
        self.assertEqual(shape["standings"][0]["schedule"], told["default"])
        self.assertGreater(len(shape["standings"]), 5)
        for standing in shape["standings"]:
            self.assertGreater(standing["seconds"], 0)
        device = json.loads(self.ok("devices", "--json"))
        self.assertEqual(device["fingerprint"], told["device"])
        self.assertEqual([level["level"] for level in device["bandwidth"]][-1], "memory")

    def interrupt(self, lines, *words):
        """Ctrl-C once the database has so many lines. What the search said on both streams."""
        words = ("tune", "norms.problems", "--db", "db", "--lock", "lock", "--cache", "cache", *words)
        search = subprocess.Popen([PROGRAM, *words], cwd=self.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while search.poll() is None and time.monotonic() < deadline:
            if os.path.exists(self.path("db")) and self.read("db").count(b"\n") >= lines:
                search.send_signal(signal.SIGINT)
                break
            time.sleep(0.01)
        out, err = search.communicate(timeout=60)
        return search.returncode, out, err

    def test_ctrl_c_loses_nothing(self):
        self.write("norms.problems", "layer_norm rows=1..4096 cols=256 outputs=y\nsoftmax rows=1..512 cols=100")
        code, out, err = self.interrupt(10, "--effort", "patient", "--budget", "120s")
        self.assertEqual(code, 1, err)
        self.assertIn("not finished", out)
        self.assertIn("--resume goes on", err.splitlines()[-1])
        kept = self.read("db")
        self.assertGreaterEqual(kept.count(b"\n"), 10)
        self.assertEqual(self.entries(), [], "nothing is chosen before it was confirmed")
        self.tune("layer_norm rows=1..4096 cols=256 outputs=y", resume=True)
        self.assertTrue(self.read("db").startswith(kept), "what was measured stays as it was")
        self.assertTrue(self.entries())
        self.replays()

    def test_the_numerics_half(self):
        problems = "rms_norm rows=16 cols=100 outputs=y\nrms_norm rows=32 cols=64 outputs=y"
        text = self.tune(problems, "--numerics")
        self.replays("--numerics")
        halves = {entry["schedule"].split(" |")[0] for entry in self.entries()}
        self.assertEqual(len(halves), 1, "problems of one function share it")
        tried = {record["schedule"].split(" |")[0] for record in self.records()}
        self.assertGreater(len(tried), 3)
        changed = {entry.get("pins_numerics", False) for entry in self.entries()}
        self.assertEqual(changed, {"bits change" in text})
        self.build()
        # Without the flag the same samples change no bit.
        self.ok("replay", "norms.problems", "--db", "db", "--lock", "plain")
        self.assertNotIn(b'"pins_numerics":true', self.read("plain"))

    def break_kernel(self, schedule):
        """Makes the compiled kernel of a schedule trap, in the cache: its first instruction becomes ud2."""
        for name in (os.path.join(folder, file) for folder, _, files in os.walk(self.path("cache")) for file in files):
            _, facts, machine = self.read(name).split(b"\n", 2)
            if json.loads(facts)["schedule"] != schedule:
                continue
            start = json.loads(facts)["object_bytes"] + json.loads(facts)["steps"][0]["entry"]
            machine = machine[:start] + b"\x0f\x0b" + machine[start + 2 :]
            content = facts + b"\n" + machine
            self.write(name, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
            return
        self.fail(f"no kernel of {schedule}")

    def test_a_broken_kernel_is_rejected(self):
        self.tune(SMALL, "--effort", "quick")
        default, *others = [standing["schedule"] for standing in self.explanation(SMALL)["shapes"][0]["standings"]]
        neighbours = [other for other in others if len(set(other.split()) - set(default.split())) == 1]
        schedule = neighbours[-1] # which every search tries
        self.break_kernel(schedule)
        shutil.move(self.path("db"), self.path("before"))
        text = self.tune(SMALL)
        self.assertIn("rejected (crash)", text)
        rejected = [record for record in self.records() if record.get("rejected")]
        self.assertTrue(rejected)
        for record in rejected:
            self.assertIn("signal 4", record["rejected"])
            self.assertEqual(record["schedule"], schedule)
        self.assertIn("rejected, crash: signal 4", self.ok("explain", *SMALL.split(), "--db", "db"))
        self.assertNotIn(schedule, [entry["schedule"] for entry in self.entries()])
        self.replays()

    def test_a_line_that_a_terminal_shows(self):
        self.write("norms.problems", SMALL)
        controller, terminal = pty.openpty()
        words = ("tune", "norms.problems", "--db", "db", "--lock", "lock", "--budget", "5s")
        search = subprocess.Popen([PROGRAM, *words], cwd=self.directory, stdout=subprocess.DEVNULL, stderr=terminal)
        os.close(terminal)
        shown = b""
        while True:
            try:
                block = os.read(controller, 4096)
            except OSError: # the other side is closed
                break
            shown += block
            if not block:
                break
        os.close(controller)
        self.assertEqual(search.wait(), 0)
        lines = shown.split(b"\r\x1b[K")
        self.assertGreater(len(lines), 3)
        self.assertTrue(all(len(line) < 80 and b"\n" not in line for line in lines), "one line, never two")
        self.assertTrue(any(b"measuring shape 1 of 1" in line for line in lines))
        self.assertEqual(lines[-1], b"", "it is taken away in the end")

    def test_what_cannot_work(self):
        self.write("norms.problems", SMALL)
        tune = ("tune", "norms.problems")
        for words, says in (
            ((*tune, "--budget", "10"), "expected a duration such as 90s"),
            ((*tune, "--budget", "-5s"), "expected a duration"),
            ((*tune, "--effort", "hard"), "expected estimate, quick, patient or exhaustive"),
            ((*tune, "--target", "z80"), "unknown target 'z80'"),
            ((*tune, "--db", "no/such/place"), "cannot append to 'no/such/place'"),
            (("tune", "nothing.problems"), "cannot read 'nothing.problems'"),
            (("explain", *SMALL.split(), "--db", "nothing"), "'normforge tune' makes it"),
            (("explain", "rms_nrom"), "did you mean 'rms_norm'"),
            (("explain", "softmax", "cols=9..2000", "--target", "sm_90"), "choose one of: 'softmax cols=9..1024', 'softmax cols=1025..2000'"),
            (("replay", "norms.problems", "--db", "nothing"), "there is no such file"),
        ):
            self.refused(*words, says=says)
        self.write("db", "")
        self.refused("explain", *SMALL.split(), "--db", "db", says="no records of it")
        self.refused("replay", "norms.problems", "--db", "db", says="no records of it")
        self.write("db", "not a record\n")
        self.write("small.problems", SMALL)
        self.assertIn("db:1", run("tune", "small.problems", "--db", "db", "--budget", "1s", cwd=self.directory).stderr)
        self.write("lock", "not a lockfile\n")
        self.refused(*tune, "--db", "db", "--lock", "lock", says="lock:1")
        self.write("empty.problems", "# nothing\n")
        self.refused("tune", "empty.problems", says="there is no problem to tune")
        self.refused("replay", "empty.problems", "--db", "db", says="there is no problem")


if __name__ == "__main__":
    unittest.main()
