"""A case's tensors on the GPU, so many times over that what a call reads was evicted from L2 by the calls before it; and whether what a
contestant wrote is right."""

import array
import math
import random

from cases import BYTES
from driver import GpuError

CHECKED = 256  # columns of a row that results are compared at
ALLOWED = {"f32": 1e-4, "bf16": 2**-6, "i8": 1 / 127}  # of the row's largest value; that of i8 is 127


class TooLarge(GpuError):
    """The case does not fit into the GPU's memory."""


def encode(values, dtype):
    data = array.array("f", values)
    if dtype == "f32":
        return data.tobytes()
    words = array.array("I", data.tobytes())
    return array.array("H", [(word + 0x8000) >> 16 & 0xFFFF for word in words]).tobytes()


def decode(data, dtype):
    if dtype == "bf16":
        words = array.array("I", [half << 16 for half in array.array("H", data)])
        return array.array("f", words.tobytes())
    return array.array({"f32": "f", "i8": "b"}[dtype], data)


class Buffers:
    """`sets`: for each set, addresses by tensor."""

    def __init__(self, driver, case, facts, most_sets):
        """With `most_sets` the smallest cases stay in L2; a launch dominates them anyway."""
        self.driver, self.case, self.allocated, self.sets = driver, case, [], []
        read, written = case.tensors()
        set_bytes = case.moved_bytes()
        room = int(0.8 * driver.facts()["free_bytes"])
        if set_bytes > room:
            raise TooLarge(f"{case.name} needs {set_bytes >> 20} MiB of the GPU's memory, of which {room >> 20} MiB may be used")
        wanted = math.ceil(4 * facts["l2_bytes"] / set_bytes) + 1
        count = max(1, min(wanted, most_sets, room // 2 // set_bytes))
        self.values = {}
        for name, dtype, size in read:
            self.values[name] = encode([random.gauss(0, 1) for _ in range(min(size, 1 << 16))], dtype)
        for _ in range(count):
            tensors = {}
            for name, dtype, size in read + written:
                tensors[name] = driver.allocate(size * BYTES[dtype])
                self.allocated.append(tensors[name])
            for name, dtype, size in read:
                self.fill(tensors[name], self.values[name], size * BYTES[dtype])
            self.sets.append(tensors)
        driver.synchronize()
        self.expected = {row: self.expected_row(row) for row in {0, case.rows - 1}}

    def fill(self, address, block, size):
        """Repeats `block`."""
        self.driver.write(address, block)
        done = len(block)
        while done < size:
            part = min(done, size - done)
            self.driver.copy(address + done, address, part)
            done += part

    def read_row(self, address, row, dtype, length):
        return decode(self.driver.read(address + row * length * BYTES[dtype], length * BYTES[dtype]), dtype)

    def expected_row(self, row):
        case, tensors = self.case, self.sets[0]
        inputs = {name: self.read_row(tensors[name], row, case.dtype, case.cols) for name in case.definition.full}
        inputs |= {name: self.read_row(tensors[name], 0, case.dtype, case.cols) for name in case.definition.parameters}
        return case.definition.row(inputs, case.definition.eps)

    def deviation(self, outputs):
        """How far outputs (addresses by tensor, of a call on the first set) lie from the f64 results, in units of what is allowed."""
        worst = 0.0
        for name, dtype, size in self.case.tensors()[1]:
            for row, expected in self.expected.items():
                want = expected[name]
                got = self.read_row(outputs[name], row, dtype, len(want))
                largest = 127 if dtype == "i8" else max(map(abs, want))
                for i in range(0, len(want), max(1, len(want) // CHECKED)):
                    error = abs(got[i] - want[i]) / (largest * ALLOWED[dtype])
                    worst = max(worst, math.inf if math.isnan(error) else error)
        return worst

    def free(self):
        for address in self.allocated:
            self.driver.free(address)
