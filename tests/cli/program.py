"""The normforge program as its tests see it: run in an empty directory, with numpy arrays going in and coming out as .npy files.

$NORMFORGE is the program; build/release has it otherwise. Without numpy a test exits with 77, which ctest counts as skipped."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
except ImportError:
    print("skipped: this needs Python's numpy (./dev test installs it)")
    sys.exit(77)

PROGRAM = os.path.abspath(os.environ.get("NORMFORGE") or os.path.join(os.path.dirname(__file__), "../../build/release/bin/normforge"))


def run(*words, cwd=None):
    return subprocess.run([PROGRAM, *words], cwd=cwd, capture_output=True, text=True, timeout=120, errors="replace")


def tune(directory, database, *words, problems="norms.problems", lock="norms.lock"):
    """A database with a few schedules in it, however busy the machine is."""
    path = os.path.join(directory, database)
    for budget in ("3s", "10s", "60s"):
        result = run("tune", problems, "--budget", budget, "--db", database, "--lock", lock, "--cache", "cache", *words, cwd=directory)
        if result.returncode:
            raise AssertionError(result.stderr)
        if os.path.getsize(path):
            return
    raise AssertionError("nothing was measured")


class ProgramTest(unittest.TestCase):
    """A test in a directory of its own."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())

    def ok(self, *words):
        """Runs to success; what it printed."""
        result = run(*words, cwd=self.directory)
        self.assertEqual((result.returncode, result.stderr), (0, ""), words)
        return result.stdout

    def refused(self, *words, says=()):
        """Runs into a mistake of the person's: exit 1, nothing on stdout, no file made or changed, and a message that holds each of `says`. One line opens with
        the program's name; several open with the file that they are about."""
        before = self.files()
        result = run(*words, cwd=self.directory)
        self.assertEqual((result.returncode, result.stdout), (1, ""), f"{words}: {result.stderr[:2000]}")
        self.assertEqual(self.files(), before, f"{words}: left something behind")
        message = result.stderr.rstrip("\n")
        if "\n" not in message:
            self.assertRegex(message, "^normforge: ([^A-Z]|NORM )", words)
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, message, words)
        return message

    def files(self):
        state = {}
        for name in os.listdir(self.directory):
            status = os.stat(self.path(name))
            state[name] = (status.st_size, status.st_mtime_ns, status.st_ino)
        return state

    def normalize(self, norm, inputs, outputs, *words):
        """`normforge run`: inputs by name as arrays; the outputs named, as arrays."""
        for name, array in inputs.items():
            np.save(self.path(name + ".npy"), array)
        flags = [word for name in inputs for word in ("--in", f"{name}={name}.npy")]
        flags += [word for name in outputs for word in ("--out", f"{name}={name}_out.npy")]
        self.ok("run", norm, *flags, *words)
        return [np.load(self.path(name + "_out.npy")) for name in outputs]


class MadeOnceTest(ProgramTest):
    """Tests that each begin with a copy of one directory, which make() fills once for all of them."""

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.made = directory.name
        cls.make()

    @classmethod
    def make_file(cls, name, text):
        with open(os.path.join(cls.made, name), "w") as file:
            file.write(text)

    def setUp(self):
        super().setUp()
        shutil.copytree(self.made, self.directory, dirs_exist_ok=True)
