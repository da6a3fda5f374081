"""Who takes part: normforge, called as an application would call it, and the peers that this machine has. A contestant puts call number i of
a case on the driver's stream; most go into a CUDA graph, so that the GPU's time is measured and not Python's."""

import importlib

from cases import BYTES
from driver import GpuError

PEERS = ("eager", "compile", "triton", "quack", "liger")


class Absent(Exception):
    """Why a contestant does not take part."""


class Normforge:
    name = "normforge"

    def __init__(self, library, driver):
        self.library, self.driver, self.calls = library, driver, []

    def prepare(self, case, buffers):
        extents = {"rows": case.rows, "cols": case.cols}
        scalars = {"eps": case.definition.eps}
        function = f"{case.norm}_{case.dtype}"
        self.buffers = buffers
        self.calls = [self.library.bind(self.driver, function, extents, tensors, scalars) for tensors in buffers.sets]
        return self.calls[0].choice()

    def enqueue(self, i):
        self.calls[i % len(self.calls)]()

    def outputs(self):
        self.enqueue(0)
        return self.buffers.sets[0]

    def capture(self, count):
        return self.driver.capture(lambda: [self.enqueue(i) for i in range(count)])

    def free(self):
        for call in self.calls:
            call.free()
        self.calls = []


class Memory:
    """The GPU's memory at an address, as PyTorch takes it over."""

    def __init__(self, address, shape, kind):
        self.__cuda_array_interface__ = {"data": (address, False), "shape": shape, "typestr": kind, "version": 3}


class Peer:
    """A contestant that is a function of PyTorch tensors."""

    def __init__(self, name, driver, torch):
        self.name, self.driver, self.torch = name, driver, torch
        self.stream = torch.cuda.ExternalStream(driver.stream.value)

    def tensor(self, address, dtype, shape):
        memory = Memory(address, shape, {"bf16": "<i2", "f32": "<f4"}[dtype])
        tensor = self.torch.as_tensor(memory, device="cuda")
        return tensor.view(self.torch.bfloat16) if dtype == "bf16" else tensor

    def prepare(self, case, buffers):
        self.case = case
        self.function = importlib.import_module("peers").function(self.name, case)
        norm = case.definition
        self.inputs = []
        for tensors in buffers.sets:
            full = [self.tensor(tensors[name], case.dtype, (case.rows, case.cols)) for name in norm.full]
            self.inputs.append(full + [self.tensor(tensors[name], case.dtype, (case.cols,)) for name in norm.parameters])

    def enqueue(self, i):
        with self.torch.no_grad(), self.torch.cuda.stream(self.stream):
            return self.function(*self.inputs[i % len(self.inputs)])

    def outputs(self):
        self.kept = self.enqueue(0)
        kept = self.kept if isinstance(self.kept, tuple) else (self.kept,)
        for (name, dtype, count), tensor in zip(self.case.tensors()[1], kept):
            if (tensor.element_size(), tensor.numel()) != (BYTES[dtype], count) or not tensor.is_contiguous():
                raise Absent(f"its {name} is another tensor than the norm's: {tensor.dtype}, {tuple(tensor.shape)}")
        return {name: tensor.data_ptr() for (name, _, _), tensor in zip(self.case.tensors()[1], kept)}

    def capture(self, count):
        """Calls of a graph write to memory of their own, as normforge's do, unless they are so large that L2 holds nothing of them."""
        graph = self.torch.cuda.CUDAGraph()
        large = self.case.moved_bytes() > 1 << 30
        with self.torch.no_grad(), self.torch.cuda.graph(graph, stream=self.stream):
            kept = []
            for i in range(count):
                written = self.function(*self.inputs[i % len(self.inputs)])
                kept += [] if large else [written]
        del kept, written

        def replay():
            with self.torch.cuda.stream(self.stream):
                graph.replay()

        return replay, graph.reset

    def free(self):
        self.inputs = self.kept = self.function = None
        self.torch.cuda.empty_cache()


def contestants(library, driver, emulated):
    """Those that take part, and why others don't."""
    absent = {}
    found = [Normforge(library, driver)]
    try:
        if emulated:
            raise Absent("no GPU: the emulator stands in for it")
        torch = importlib.import_module("torch")
        if not torch.cuda.is_available():
            raise Absent("PyTorch finds no GPU")
    except (Absent, ImportError) as error:
        return found, dict.fromkeys(PEERS, str(error))
    for name in PEERS:
        try:
            if module := {"triton": "triton", "quack": "quack", "liger": "liger_kernel"}.get(name):
                importlib.import_module(module)
            found.append(Peer(name, driver, torch))
        except Exception as error:  # whatever a peer's own modules raise
            absent[name] = f"{type(error).__name__}: {error}"
    return found, absent


def failure(error):
    """One line on why a peer did not run a case."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}" if not isinstance(error, (Absent, GpuError)) else str(error)
