"""What this very run has tuned: of the kit's pack the schedules that its records choose, and calls of their kernels, so that the bench times
them beside the peers where there is no compiler to make a library of them. C declarations: autotune/pack/packed_calls.h."""

import ctypes
import re
import subprocess
from ctypes import c_char_p, c_double, c_int64, c_uint64, c_void_p

from driver import GpuError

EXTENT = r"\b{}=(\d+)(?:\.\.(\d+))?\b"


def extent(problem, axis):
    low, high = re.search(EXTENT.format(axis), problem).groups()
    return int(low), int(high or low)


class Choices:
    """Of the pack at `pack`, by what its runner says of the database `records`: no choice where it was not measured whole."""

    def __init__(self, pack, records, environment):
        self.pack, self.bands = pack, {}
        if not records.exists() or not pack.exists():
            return
        words = [pack / "run", "--choose", "--db", records]
        said = subprocess.run(words, capture_output=True, text=True, env=environment)
        if said.returncode:
            raise GpuError(f"what was tuned cannot be read: {said.stderr.strip()}")
        for line in said.stdout.splitlines():
            file, problem, schedule = line.split("\t")
            dtype = re.search(r"\bx=(\w+)", problem)
            family = problem.split()[0], dtype[1] if dtype else "f32", extent(problem, "cols")[0]
            self.bands.setdefault(family, []).append((extent(problem, "rows"), pack / file, problem, schedule))

    def of(self, case):
        """(file, problem, schedule), or None."""
        for (low, high), file, problem, schedule in self.bands.get((case.norm, case.dtype, case.cols), []):
            if low <= case.rows <= high:
                return file, problem, schedule
        return None


class PackedLibrary:
    def __init__(self, path):
        self.library = ctypes.CDLL(str(path))
        self.library.normforge_packed_open.restype = c_void_p
        self.library.normforge_packed_error.restype = c_char_p

    def refused(self):
        raise GpuError(self.library.normforge_packed_error().decode())


class PackedCalls:
    """Calls of one kernel on the driver's stream, on any of several sets of tensors. `names`: of axes, tensors and scalars, in the norm's order."""

    def __init__(self, packed, driver, file, schedule, names, extents, sets, scalars):
        axes, tensors, numbers = names
        self.packed, self.library, self.stream = packed, packed.library, driver.stream
        self.sets = [(c_uint64 * len(tensors))(*[pointers.get(name, 0) for name in tensors]) for pointers in sets]
        self.opened = c_void_p(
            self.library.normforge_packed_open(
                c_char_p(str(file).encode()),
                c_char_p(schedule.encode()),
                (c_int64 * len(axes))(*[extents[name] for name in axes]),
                (c_double * len(numbers))(*[scalars[name] for name in numbers]),
                self.sets[0],
            )
        )
        if not self.opened:
            packed.refused()

    def __call__(self, i):
        if self.library.normforge_packed_call(self.opened, self.sets[i % len(self.sets)], self.stream):
            self.packed.refused()

    def free(self):
        self.library.normforge_packed_close(self.opened)
