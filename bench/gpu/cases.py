"""What is measured: five norms in two dtypes at the shapes that models have, and powers of two from the smallest to the longest rows. A norm
is a row of a table: its tensors, and the formula of a row in f64, which every contestant's results are held against."""

import math
from dataclasses import dataclass

COLS = sorted([2**power for power in range(6, 19)] + [1152, 1536, 2304, 2560, 5120, 12288])
ROWS = [8192, 1, 32768, 1024, 32]  # these orders are those of measuring, what is asked for first coming first
DTYPES = {"bf16": 2, "f32": 4}
BYTES = DTYPES | {"i8": 1}
MAIN_COLS = [4096, 65536, 256, 16384, 131072]  # of long rows, at which the GPU's memory is the limit, and of a short one
SMALL_COLS, SMALL_ROWS = [64, 1152], [4, 1]  # in emulation


class Absent(Exception):
    """Why a contestant does not take part in a case."""


def layer_norm(row, eps):
    mean = math.fsum(row["x"]) / len(row["x"])
    rstd = 1 / math.sqrt(math.fsum((x - mean) ** 2 for x in row["x"]) / len(row["x"]) + eps)
    return {"y": [(x - mean) * rstd * g + b for x, g, b in zip(row["x"], row["gamma"], row["beta"])]}


def rms_norm(row, eps, of="x"):
    rstd = 1 / math.sqrt(math.fsum(x * x for x in row[of]) / len(row[of]) + eps)
    return {"y": [x * rstd * g for x, g in zip(row[of], row["gamma"])]}


def softmax(row, eps):
    top = max(row["x"])
    e = [math.exp(x - top) for x in row["x"]]
    total = math.fsum(e)
    return {"y": [value / total for value in e]}


def add_rms_norm(row, eps):
    total = [a + b for a, b in zip(row["x"], row["residual"])]
    return {"sum": total} | rms_norm(row | {"sum": total}, eps, of="sum")


def rms_norm_quant(row, eps):
    v = rms_norm(row, eps)["y"]
    scale = max(map(abs, v)) / 127
    return {"y": [round(value / scale) for value in v], "scale": [scale]}


@dataclass(frozen=True)
class Norm:
    full: tuple  # tensors of rows by columns that are read
    parameters: tuple  # tensors of columns that are read
    outputs: dict  # tensors that are written: their dtype, or None for the input's; "scale" has an element a row
    row: callable  # the outputs of one row in f64
    eps: float | None  # None: the norm has none


NORMS = {
    "layer_norm": Norm(("x",), ("gamma", "beta"), {"y": None}, layer_norm, 1e-5),
    "rms_norm": Norm(("x",), ("gamma",), {"y": None}, rms_norm, 1e-6),
    "softmax": Norm(("x",), (), {"y": None}, softmax, None),
    "add_rms_norm": Norm(("x", "residual"), ("gamma",), {"y": None, "sum": None}, add_rms_norm, 1e-6),
    "rms_norm_quant": Norm(("x",), ("gamma",), {"y": "i8", "scale": "f32"}, rms_norm_quant, 1e-6),
}


@dataclass(frozen=True)
class Case:
    norm: str
    dtype: str
    rows: int
    cols: int

    @property
    def name(self):
        return f"{self.norm}-{self.dtype}-{self.rows}x{self.cols}"

    @property
    def definition(self):
        return NORMS[self.norm]

    def tensors(self):
        """(name, dtype, elements) of all that a call reads, then of all that it writes."""
        norm, size = self.definition, self.rows * self.cols
        read = [(name, self.dtype, size) for name in norm.full] + [(name, self.dtype, self.cols) for name in norm.parameters]
        return read, [(name, dtype or self.dtype, self.rows if name == "scale" else size) for name, dtype in norm.outputs.items()]

    def moved_bytes(self):
        """What any implementation has to read and write at least."""
        return sum(count * BYTES[dtype] for tensors in self.tensors() for _, dtype, count in tensors)


def families(emulated):
    """(norm, dtype, columns) of all cases, in groups: each is tuned, and measured at all heights, before the next, so that a run that is cut
    has whole plots of the first."""
    widths = [SMALL_COLS] if emulated else [MAIN_COLS, [n for n in COLS if n not in MAIN_COLS]]
    return [[(norm, dtype, n) for n in cols for norm in NORMS] for cols in widths for dtype in DTYPES]


def cases(emulated):
    rows = SMALL_ROWS if emulated else ROWS
    return [Case(norm, dtype, m, n) for group in families(emulated) for m in rows for norm, dtype, n in group]


def problems(emulated):
    """Problem lines of a library that has a kernel for each number of columns."""
    return "".join(problem(norm, f"cols={n}", dtype) for group in families(emulated) for norm, dtype, n in group)


def tuned_problems(emulated):
    """Problem lines that are tuned, for the rows of the benchmark, in the order of the cases."""
    if emulated:
        return [problem("add_rms_norm", f"rows=1..{max(SMALL_ROWS)} cols={min(SMALL_COLS)}", "f32")]
    return [problem(norm, f"rows=1..{max(ROWS)} cols={n}", dtype) for group in families(False) for norm, dtype, n in group]


def problem(name, extents, dtype):
    return f"{name} {extents} x={dtype} outputs={','.join(NORMS[name].outputs)}\n"
