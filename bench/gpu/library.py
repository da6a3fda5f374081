"""A library of normforge, as a shared object, called by what it says of itself: the structs below are those of runtime/description.h and
runtime/cuda.h."""

import ctypes
import os
import pathlib
from ctypes import POINTER, Structure, c_char, c_char_p, c_double, c_int32, c_int64, c_uint64, c_void_p

from driver import GpuError

TUNED = 2  # nf_origin


class Axis(Structure):
    _fields_ = [("name", c_char_p), ("extent_offset", c_int32), ("length", c_int32)]


class Tensor(Structure):
    _fields_ = [("name", c_char_p), ("role", c_int32), ("dtype", c_int32), ("optional", c_int32), ("rank", c_int32), ("axes", c_int32 * 16)]
    _fields_ += [("stride_offset", c_int32 * 16), ("pointer_offset", c_int32), ("in_place", c_uint64)]


class Scalar(Structure):
    _fields_ = [("name", c_char_p), ("offset", c_int32), ("set_size", c_int32), ("lo", c_double), ("hi", c_double)]
    _fields_ += [("lo_open", c_int32), ("hi_open", c_int32), ("set", c_void_p)]


class Function(Structure):
    _fields_ = [("name", c_char_p), ("norm", c_char_p)]
    _fields_ += [(count, c_int32) for count in ("axes", "tensors", "scalars", "requirements", "kernels")]
    _fields_ += [("axis", POINTER(Axis)), ("tensor", POINTER(Tensor)), ("scalar", POINTER(Scalar)), ("requirement", c_void_p), ("kernel", c_void_p)]


class Description(Structure):
    _fields_ = [("name", c_char_p), ("version", c_char_p), ("level_variable", c_char_p), ("functions", c_int32), ("function", c_void_p)]
    _fields_ += [("cuda_functions", c_int32), ("cuda_function", POINTER(POINTER(Function)))]


class Options(Structure):
    _fields_ = [("stream", c_void_p), ("workspace", c_void_p), ("workspace_bytes", c_int64)]


class Choice(Structure):
    _fields_ = [("problem", c_char_p), ("schedule", c_char_p), ("level", c_int32), ("origin", c_int32), ("threads", c_int32)]
    _fields_ += [("workspace_bytes", c_int64), ("why", c_char * 256)]


class Library:
    def __init__(self, path):
        """`path`: libNAME.so"""
        self.library = ctypes.CDLL(str(path))
        self.prefix = pathlib.Path(path).stem[3:] + "_"
        self.call = self.entry("cuda_call")
        self.entry("describe").restype = POINTER(Description)
        self.entry("status_string").restype = c_char_p
        described = self.entry("describe")().contents
        found = [described.cuda_function[f] for f in range(described.cuda_functions)]
        self.functions = {function.contents.name.decode(): function for function in found}

    def entry(self, name):
        return getattr(self.library, self.prefix + name)

    def check(self, status, what, driver):
        if status:
            error = self.entry("cuda_error")()
            said = f" ({error}, {driver.meaning(error)})" if error else ""
            raise GpuError(f"{what}: {self.entry('status_string')(status).decode()}{said}")

    def names(self, name):
        """Of the function's axes, tensors and scalars, in the norm's order."""
        function = self.function(name).contents
        axes = [function.axis[a].name.decode() for a in range(function.axes)]
        tensors = [function.tensor[t].name.decode() for t in range(function.tensors)]
        return axes, tensors, [function.scalar[s].name.decode() for s in range(function.scalars)]

    def function(self, name):
        if name not in self.functions:
            raise GpuError(f"the library has no function {name}")
        return self.functions[name]

    def bind(self, driver, name, extents, pointers, scalars):
        """A call of the function `name` on the driver's stream; `extents`, `pointers` (addresses on the GPU) and `scalars` by name."""
        return Call(self, driver, name, extents, pointers, scalars)


class Call:
    def __init__(self, library, driver, name, extents, pointers, scalars):
        self.library, self.driver, self.function, self.name = library, driver, library.function(name), name
        function = self.function.contents
        fields = [(function.axis[a].extent_offset, c_int64, extents[function.axis[a].name.decode()]) for a in range(function.axes)]
        tensors = [function.tensor[t] for t in range(function.tensors)]
        fields += [(tensor.pointer_offset, c_uint64, pointers.get(tensor.name.decode(), 0)) for tensor in tensors]
        for s in range(function.scalars):
            fields.append((function.scalar[s].offset, c_double, scalars[function.scalar[s].name.decode()]))
        strides = [offset for tensor in tensors for offset in tensor.stride_offset[: tensor.rank]]
        self.arguments = ctypes.create_string_buffer(8 + max([offset for offset, _, _ in fields] + strides))
        for offset, kind, value in fields:
            kind.from_buffer(self.arguments, offset).value = value
        self.options = Options(stream=driver.stream.value)
        wanted = c_int64()
        library.check(library.entry("cuda_workspace_bytes")(self.function, self.arguments, ctypes.byref(wanted)), name, driver)
        self.options.workspace = driver.allocate(wanted.value)
        self.options.workspace_bytes = wanted.value
        self.pointers = ctypes.byref(self.options)

    def __call__(self):
        status = self.library.call(self.function, self.arguments, self.pointers)
        if status:
            self.library.check(status, self.name, self.driver)

    def choice(self):
        """The kernel that serves the call. A driver that stands in for a GPU is told of it."""
        choice = Choice()
        self.library.check(self.library.entry("cuda_which")(self.function, self.arguments, self.pointers, ctypes.byref(choice)), self.name, self.driver)
        problem, schedule = choice.problem.decode(), choice.schedule.decode()
        if announced := os.environ.get("NORMFORGE_STAND_IN_KERNELS"):
            with open(announced, "a") as file:
                file.write(f"sm_{choice.level}\t{problem}\t{schedule}\n")
        schedules = "tuned before" if choice.origin == TUNED else "default"
        return {"problem": problem, "schedule": schedule, "schedules": schedules, "why": choice.why.decode()}

    def free(self):
        self.driver.free(self.options.workspace)
