"""Who takes part: normforge, called as an application would call it, and the peers that this machine has. A contestant puts call number i of
a case on the driver's stream; most go into a CUDA graph, so that the GPU's time is measured and not Python's."""

import importlib
import importlib.metadata

from cases import BYTES, Absent
from driver import GpuError
from tuned import PackedCalls

PEERS = {"eager": "torch", "compile": "torch", "triton": "triton", "quack": "quack", "liger": "liger_kernel"}  # and their modules
PACKAGES = ("torch", "triton", "quack-kernels", "nvidia-cutlass-dsl", "liger-kernel")


class LibraryCalls:
    """Calls of a library's function, with arguments for each set of tensors."""

    def __init__(self, library, driver, function, extents, sets, scalars):
        self.calls = [library.bind(driver, function, extents, tensors, scalars) for tensors in sets]

    def __call__(self, i):
        self.calls[i % len(self.calls)]()

    def free(self):
        for call in self.calls:
            call.free()


class Normforge:
    """With the schedule that this run has tuned for the case, where it has, else as the library has it."""

    name = "normforge"

    def __init__(self, library, driver, packed=None, choices=None):
        self.library, self.driver, self.packed, self.choices, self.calls = library, driver, packed, choices, None

    def prepare(self, case, buffers):
        extents, scalars = {"rows": case.rows, "cols": case.cols}, {"eps": case.definition.eps}
        function = f"{case.norm}_{case.dtype}"
        self.buffers = buffers
        if chosen := self.choices and self.choices.of(case):
            file, problem, schedule = chosen
            names = self.library.names(function)
            self.calls = PackedCalls(self.packed, self.driver, file, schedule, names, extents, buffers.sets, scalars)
            return {"problem": problem, "schedule": schedule, "schedules": "tuned here"}
        self.calls = LibraryCalls(self.library, self.driver, function, extents, buffers.sets, scalars)
        return self.calls.calls[0].choice()

    def enqueue(self, i):
        self.calls(i)

    def outputs(self):
        self.enqueue(0)
        return self.buffers.sets[0]

    def capture(self, count):
        return self.driver.capture(lambda: [self.enqueue(i) for i in range(count)])

    def free(self):
        if self.calls:
            self.calls.free()
        self.calls = None


class Memory:
    """The GPU's memory at an address, as PyTorch takes it over."""

    def __init__(self, address, shape, kind):
        self.__cuda_array_interface__ = {"data": (address, False), "shape": shape, "typestr": kind, "version": 3}


class Peer:
    """A contestant that is a function of PyTorch tensors. The driver's stream is PyTorch's current one, and nothing wants gradients."""

    def __init__(self, name, torch):
        self.name, self.torch = name, torch

    def tensor(self, address, dtype, shape):
        memory = Memory(address, shape, {"bf16": "<i2", "f32": "<f4"}[dtype])
        tensor = self.torch.as_tensor(memory, device="cuda")
        return tensor.view(self.torch.bfloat16) if dtype == "bf16" else tensor

    def prepare(self, case, buffers):
        self.case = case
        peers = importlib.import_module("peers")
        self.function = peers.function(self.name, case)
        norm = case.definition
        self.inputs = []
        for tensors in buffers.sets:
            full = [self.tensor(tensors[name], case.dtype, (case.rows, case.cols)) for name in norm.full]
            parameters = [self.tensor(tensors[name], case.dtype, (case.cols,)) for name in norm.parameters]
            self.inputs.append(full + peers.converted(self.name, case.norm, parameters))

    def enqueue(self, i):
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
        with self.torch.cuda.graph(graph, stream=self.torch.cuda.current_stream()):
            kept = []
            for i in range(count):
                written = self.function(*self.inputs[i % len(self.inputs)])
                kept += [] if large else [written]
        del kept, written
        return graph.replay, graph.reset

    def free(self):
        self.inputs = self.kept = self.function = None
        self.torch.cuda.empty_cache()


def contestants(normforge, driver, emulated):
    """Those that take part, and why others don't."""
    absent = {}
    found = [normforge]
    try:
        if emulated:
            raise Absent("no GPU: the emulator stands in for it")
        torch = importlib.import_module("torch")
        if not torch.cuda.is_available():
            raise Absent("PyTorch finds no GPU")
        torch.cuda.init()
        torch.cuda.set_stream(torch.cuda.ExternalStream(driver.stream.value))
        torch.set_grad_enabled(False)
    except Exception as error:  # a library that it wants may be missing, or be another than it was made for
        return found, dict.fromkeys(PEERS, failure(error))
    for name, module in PEERS.items():
        try:
            importlib.import_module(module)
            found.append(Peer(name, torch))
        except Exception as error:  # whatever a peer's own modules raise
            absent[name] = failure(error)
    return found, absent


def versions():
    """Of the peers' packages, as far as they are installed."""
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    return installed


def failure(error):
    """One line on why a peer did not run a case."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}" if not isinstance(error, (Absent, GpuError)) else str(error)
