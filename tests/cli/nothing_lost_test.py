"""What was measured stays: `normforge tune` killed at any time, eight at once on one database, no room on the disk, files that may not be written."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time

from program import PROGRAM, MadeOnceTest, run, tune, unittest

LONG = bool(os.environ.get("NORMFORGE_LONG"))
NOBODY = 65534


class NothingLost(MadeOnceTest):
    @classmethod
    def make(cls):
        """Two problems that were tuned, and one that was on another machine."""
        for name, problems in (("norms", "softmax rows=4 cols=64\nsoftmax rows=4 cols=65\n"), ("other", "softmax rows=4 cols=66\n")):
            cls.make_file(name + ".problems", problems)
            tune(cls.made, name + ".db", problems=name + ".problems")

    def tuner(self, *words, problems="norms.problems", **how):
        command = [PROGRAM, "tune", problems, "--cache", self.path("cache"), *words]
        return subprocess.Popen(command, cwd=self.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)

    def records(self, database):
        """What its whole lines say: for each experiment and sample, the time. And how many lines are damaged, as the program counts them."""
        result = run("db", "export", "--db", database, "--json", cwd=self.directory)
        self.assertEqual(result.returncode, 0, result.stderr)
        warnings = result.stderr.splitlines()
        for warning in warnings:
            self.assertRegex(warning, rf"^normforge: {database}:\d+: .*; this line is skipped$")
        rows = json.loads(result.stdout)
        return {tuple(value for name, value in row.items() if name != "seconds"): row["seconds"] for row in rows}, len(warnings)

    def lock_lines(self, name):
        """The lines of a lockfile, which is whole."""
        with open(self.path(name)) as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual(lines[0]["entries"], len(lines) - 1)
        return lines[1:]

    def processes_here(self):
        found = []
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.path.samefile(f"/proc/{process}/cwd", self.directory):
                    found.append(int(process))
            except OSError:
                pass
        return found

    def test_killed_anywhere(self):
        kills = 200 if LONG else 10
        chance = random.Random(1)
        known, complete = {}, set()
        seconds = 2
        for kill in range(kills):
            process = self.tuner("--db", "killed.db", "--lock", "killed.lock", "--seed", str(kill), "--budget", f"{seconds}s", *(["--resume"] if kill % 2 else []))
            time.sleep(chance.uniform(0, 1.25 * seconds))
            process.kill()
            process.communicate()
            deadline = time.monotonic() + 60
            while self.processes_here():
                self.assertLess(time.monotonic(), deadline, "a measuring process outlived the tuner")
                time.sleep(0.01)
            if os.path.exists(self.path("killed.db")):
                now, damaged = self.records("killed.db")
                self.assertLessEqual(damaged, kill + 1)
                self.assertEqual(known.items() - now.items(), set(), f"lost, after {kill + 1} kills")
                known = now
            if not known:  # so busy is the machine that nothing is measured in that time
                seconds = min(2 * seconds, 60)
            if os.path.exists(self.path("killed.lock")):
                problems = {entry["problem"] for entry in self.lock_lines("killed.lock")}
                self.assertLessEqual(complete, problems)
                complete = problems
        self.assertTrue(known)
        tune(self.directory, "killed.db", "--resume", lock="killed.lock")
        targets = {entry["target"] for entry in self.lock_lines("killed.lock")} or {"x86-64-v3"}
        self.ok("build", "norms.problems", "-o", "norms", "--name", "norms", "--lock", "killed.lock", "--cache", "cache", "--target", *targets)

    def test_eight_at_once(self):
        tuners = []
        for i in range(8):
            self.write(f"{i}.problems", f"softmax rows=4 cols={64 + i}\n")
            tuners.append(self.tuner("--db", "eight.db", "--lock", f"{i}.lock", "--budget", "15s", problems=f"{i}.problems"))
        for tuner in tuners:
            _, errors = tuner.communicate(timeout=300)
            self.assertEqual(tuner.returncode, 0, errors)
        _, damaged = self.records("eight.db")
        self.assertEqual(damaged, 0)
        decided = 0
        for i in range(8):  # from the Records alone comes what each of them decided on those that it wrote
            if not (os.path.exists(self.path(f"{i}.lock")) and self.lock_lines(f"{i}.lock")):
                continue  # it ran out of time
            self.ok("replay", f"{i}.problems", "--db", "eight.db", "--lock", "replayed.lock")
            replayed = [entry for entry in self.lock_lines("replayed.lock") if entry["problem"] == f"softmax rows=4 cols={64 + i}"]
            self.assertEqual(replayed, self.lock_lines(f"{i}.lock"))
            decided += 1
        if not decided:
            self.skipTest("the machine is too busy for any of them to come to an end")

    def refused_writing(self, before, *words, program=PROGRAM, **how):
        """The message of a run that cannot write, and leaves files as they were."""
        result = subprocess.run([program, *words], cwd=self.directory, capture_output=True, text=True, timeout=300, **how)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertEqual(self.contents(), before)
        return result.stderr

    def contents(self):
        found = {}
        for name in os.listdir(self.directory):
            if os.path.isfile(self.path(name)):
                with open(self.path(name), "rb") as file:
                    found[name] = file.read()
        return found

    def test_no_room(self):
        before = self.contents()

        def limit(size):
            def apply():
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a full disk is an error that write() returns
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

            return {"preexec_fn": apply, "restore_signals": False}

        database = len(before["norms.db"])
        message = self.refused_writing(before, "tune", "other.problems", "--db", "norms.db", "--lock", "norms.lock", **limit(database + 10))
        self.assertRegex(message, r"cannot append to 'norms\.db': File too large; it is as it was\n$")
        message = self.refused_writing(before, "db", "merge", "other.db", "--db", "norms.db", **limit(database))
        self.assertRegex(message, r"^normforge: cannot write 'norms\.db': File too large; it is as it was\n$")
        message = self.refused_writing(before, "replay", "other.problems", "--db", "other.db", "--lock", "norms.lock", **limit(100))
        self.assertIn("norms.lock", message)
        message = self.refused_writing(before, "db", "export", "--db", "norms.db", "-o", "samples.csv", **limit(1000))
        self.assertIn("samples.csv", message)
        with open("/dev/full", "w") as full:
            result = subprocess.run([PROGRAM, "db", "export", "--db", "norms.db"], cwd=self.directory, stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual((result.returncode, result.stderr), (1, "normforge: cannot write to standard output: No space left on device\n"))

    def test_a_full_disk(self):
        """A real one, where this may mount one."""
        disk = self.path("disk")
        os.mkdir(disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], capture_output=True).returncode:
            self.skipTest("this may not mount a file system")
        try:
            self.write("disk/kept", b"0" * 56 * 1024)
            result = run("tune", "norms.problems", "--db", "disk/norms.db", "--lock", "norms.lock", "--cache", "cache", cwd=self.directory)
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, r"cannot append to 'disk/norms\.db': No space left on device; it is as it was\n$")
            _, damaged = self.records("disk/norms.db")
            self.assertEqual(damaged, 0)
        finally:
            subprocess.run(["umount", disk], check=True)

    def test_read_only(self):
        before = self.contents()
        how = {}
        if os.geteuid() == 0:  # whom nothing stops; another user may not reach the program where it is
            place = tempfile.TemporaryDirectory()
            self.addCleanup(place.cleanup)
            os.chmod(place.name, 0o755)
            how = {"user": NOBODY, "program": shutil.copy(PROGRAM, place.name)}
        for name in before:
            os.chmod(self.path(name), 0o444)
        os.chmod(self.directory, 0o555)
        self.addCleanup(os.chmod, self.directory, 0o755)
        message = self.refused_writing(before, "tune", "norms.problems", "--db", "norms.db", "--lock", "norms.lock", **how)
        self.assertEqual(message, "normforge: cannot append to 'norms.db': Permission denied\n")
        message = self.refused_writing(before, "db", "merge", "other.db", "--db", "norms.db", **how)
        self.assertEqual(message, "normforge: cannot write 'norms.db': Permission denied\n")
        message = self.refused_writing(before, "db", "merge", "other.db", "--db", "new.db", **how)
        self.assertEqual(message, "normforge: cannot write 'new.db': Permission denied\n")
        message = self.refused_writing(before, "replay", "other.problems", "--db", "other.db", "--lock", "norms.lock", **how)
        self.assertIn("norms.lock", message)
        self.assertIn("Permission denied", message)


if __name__ == "__main__":
    unittest.main()
