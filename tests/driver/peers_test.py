"""The benchmark's peers on the CPU, in host memory that stands in for a GPU's: PyTorch eager and compiled, and Triton's kernels in its
interpreter, give what the norms' formulas in f64 say. Where PyTorch is not installed there is nothing to try: it is no requirement of the
project's, and `python3 tests/driver/peers_test.py` runs this where it is."""

import ctypes
import importlib.util
import os
import pathlib
import sys
import time
import unittest

os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench/gpu"))
import cases
import contestants
import measure


class HostDriver:
    """As much of driver.Driver as buffers and samples use, in host memory."""

    def __init__(self):
        self.blocks = {}

    def facts(self):
        return {"free_bytes": 1 << 30, "l2_bytes": 1 << 10}

    def allocate(self, size):
        block = ctypes.create_string_buffer(max(size, 1))
        self.blocks[ctypes.addressof(block)] = block
        return ctypes.addressof(block)

    def free(self, address):
        del self.blocks[address]

    def write(self, address, data):
        ctypes.memmove(address, bytes(data), len(data))

    def read(self, address, size):
        return ctypes.string_at(address, size)

    def copy(self, to, source, size):
        ctypes.memmove(to, source, size)

    def clear(self, address, size):
        ctypes.memset(address, 0, size)

    def synchronize(self):
        pass

    def event(self):
        return [0.0]

    def record(self, event):
        event[0] = time.perf_counter()

    def seconds(self, begin, end):
        return max(end[0] - begin[0], 1e-9)


class HostPeer(contestants.Peer):
    def tensor(self, address, dtype, shape):
        size = shape[0] * (shape[1] if len(shape) > 1 else 1) * cases.BYTES[dtype]
        kind = {"bf16": self.torch.bfloat16, "f32": self.torch.float32}[dtype]
        return self.torch.frombuffer((ctypes.c_char * size).from_address(address), dtype=kind).view(shape)


@unittest.skipUnless(importlib.util.find_spec("torch"), "PyTorch is not installed")
class OnTheHost(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import torch

        torch.set_grad_enabled(False)
        cls.torch = torch

    def race(self, name, case):
        bench = measure.Bench(HostDriver(), [HostPeer(name, self.torch)], measure.EMULATED)
        return bench.run(case)["results"][name]

    def agrees(self, name, cols, norms=tuple(cases.NORMS)):
        for norm in norms:
            for dtype in cases.DTYPES:
                for rows in (3, 1):
                    with self.subTest(norm=norm, dtype=dtype, rows=rows):
                        answer = self.race(name, cases.Case(norm, dtype, rows, cols))
                        self.assertIn("seconds", answer, answer)
                        self.assertLessEqual(answer["deviation"], 1)

    def test_eager(self):
        self.agrees("eager", 1152)

    def test_compiled(self):
        self.agrees("compile", 1152)

    @unittest.skipUnless(importlib.util.find_spec("triton"), "Triton is not installed")
    def test_triton(self):
        self.agrees("triton", 1152)

    @unittest.skipUnless(importlib.util.find_spec("triton"), "Triton is not installed")
    def test_triton_in_several_blocks(self):
        self.agrees("triton", 40000)

    @unittest.skipUnless(importlib.util.find_spec("liger_kernel"), "Liger is not installed")
    def test_liger(self):
        self.agrees("liger", 1152, ("softmax",))  # Triton's interpreter takes no Python float, which its other kernels get
        self.assertEqual(self.race("liger", cases.Case("rms_norm_quant", "f32", 3, 64)), {"absent": "it has no rms_norm_quant"})

    def test_compiled_for_these_rows_or_for_many(self):
        """Compiled for 2048 rows, found again for 4096, and anew for 32."""
        import peers
        from torch._dynamo.utils import counters
        from torch._inductor.utils import fresh_cache

        made = []
        with fresh_cache():
            for rows in (2048, 4096, 32):
                counters.clear()
                case = cases.Case("rms_norm", "f32", rows, 72)
                peers.function("compile", case)(self.torch.ones(rows, 72), self.torch.ones(72))
                made.append((counters["inductor"]["fxgraph_cache_hit"], counters["inductor"]["fxgraph_cache_miss"]))
        self.assertEqual(made[1:], [(1, 0), (0, 1)])


if __name__ == "__main__":
    unittest.main()
