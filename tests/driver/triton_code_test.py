"""Triton's kernels of the benchmark's peers become machine code of a GPU, where none is at hand: with tensors that have no memory, and a launch
that compiles alone. Where Triton is not installed there is nothing to try: it is no requirement of the project's."""

import importlib.util
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench/gpu"))
import cases


def installed(module):
    return unittest.skipUnless(importlib.util.find_spec(module), f"{module} is not installed")


@installed("torch")
@installed("triton")
class GpuCode(unittest.TestCase):
    def setUp(self):
        import torch
        from triton.runtime.jit import JITFunction

        self.torch, self.compiled = torch, []
        self.kinds = {torch.bfloat16: "*bf16", torch.float32: "*fp32", torch.int8: "*i8"}
        self.addCleanup(setattr, JITFunction, "run", JITFunction.run)
        JITFunction.run = lambda kernel, *arguments, **keywords: self.compile(kernel, arguments, keywords)

    def kind(self, value):
        return self.kinds[value.dtype] if isinstance(value, self.torch.Tensor) else "i32" if isinstance(value, int) else "fp32"

    def compile(self, kernel, arguments, keywords):
        import triton
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource

        given = dict(zip(kernel.arg_names, arguments)) | {name: value for name, value in keywords.items() if name in kernel.arg_names}
        constant = {parameter.name for parameter in kernel.params if parameter.is_constexpr}
        signature = {name: "constexpr" if name in constant else self.kind(given[name]) for name in kernel.arg_names}
        values = {(kernel.arg_names.index(name),): given[name] for name in constant}
        options = {name: value for name, value in keywords.items() if name in ("num_warps", "num_stages")}
        made = triton.compile(ASTSource(kernel, signature, values), target=GPUTarget("cuda", 90, 32), options=options)
        self.compiled.append(made.metadata.name)
        self.assertTrue(made.asm["cubin"])

    def all_compile(self, peer, norms, widths):
        import peers

        for norm in norms:
            for dtype in (self.torch.bfloat16, self.torch.float32):
                for cols in widths:
                    with self.subTest(norm=norm, dtype=dtype, cols=cols):
                        case = cases.Case(norm, "f32", 4, cols)
                        made = lambda *shape: self.torch.empty(*shape, dtype=dtype, device="meta")
                        full = [made(4, cols) for _ in case.definition.full]
                        before = len(self.compiled)
                        peers.function(peer, case)(*full, *[made(cols) for _ in case.definition.parameters])
                        self.assertEqual(len(self.compiled), before + 1)

    def test_the_tutorials(self):
        self.all_compile("triton", cases.NORMS, (1152, 65536))

    @installed("liger_kernel")
    def test_liger(self):
        import peers

        self.all_compile("liger", peers.LIGER, (1152, 32768))


if __name__ == "__main__":
    unittest.main()
