"""The CUDA driver, or what stands in for it: memory, streams, events and graphs of GPU 0, through ctypes. PyTorch, where it takes part,
uses the same primary context, so that every contestant works on the same buffers and one stream."""

import ctypes
from ctypes import byref, c_char_p, c_float, c_int, c_size_t, c_uint, c_ulonglong, c_void_p

MULTIPROCESSORS, L2_BYTES, MAJOR, MINOR = 16, 38, 75, 76  # CUdevice_attribute
RELAXED = 2  # CU_STREAM_CAPTURE_MODE_RELAXED


class GpuError(Exception):
    """What the driver refused, or a library of kernels."""


class Driver:
    def __init__(self, path="libcuda.so.1"):
        try:
            self.library = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise GpuError(f"no driver: {error}; without a GPU, ./dev gpu --emulate") from None
        self.call("cuInit", c_uint(0))
        self.device, self.context, self.stream = c_int(), c_void_p(), c_void_p()
        self.call("cuDeviceGet", byref(self.device), c_int(0))
        self.call("cuDevicePrimaryCtxRetain", byref(self.context), self.device)
        self.call("cuCtxSetCurrent", self.context)
        self.call("cuStreamCreate", byref(self.stream), c_uint(1))  # CU_STREAM_NON_BLOCKING

    def call(self, name, *arguments):
        result = getattr(self.library, name)(*arguments)
        if result:
            raise GpuError(f"{name}: the CUDA driver reports error {result}, {self.meaning(result)}")

    def meaning(self, result):
        """Of a CUresult."""
        text = c_char_p()
        self.library.cuGetErrorString(c_int(result), byref(text))
        return (text.value or b"which it does not know").decode()

    # The device.

    def attribute(self, number):
        value = c_int()
        self.call("cuDeviceGetAttribute", byref(value), c_int(number), self.device)
        return value.value

    def level(self):
        """Ten times the compute capability."""
        return 10 * self.attribute(MAJOR) + self.attribute(MINOR)

    def facts(self):
        name, version, free, total = ctypes.create_string_buffer(256), c_int(), c_size_t(), c_size_t()
        self.call("cuDeviceGetName", name, c_int(len(name)), self.device)
        self.call("cuDriverGetVersion", byref(version))
        self.call("cuMemGetInfo_v2", byref(free), byref(total))
        return {
            "device": name.value.decode(),
            "capability": f"{self.attribute(MAJOR)}.{self.attribute(MINOR)}",
            "cuda_of_driver": f"{version.value // 1000}.{version.value % 1000 // 10}",
            "memory_bytes": total.value,
            "free_bytes": free.value,
            "l2_bytes": self.attribute(L2_BYTES),
            "multiprocessors": self.attribute(MULTIPROCESSORS),
        }

    # Memory: addresses are plain integers.

    def allocate(self, size):
        address = c_ulonglong()
        self.call("cuMemAlloc_v2", byref(address), c_size_t(max(size, 1)))
        return address.value

    def free(self, address):
        self.call("cuMemFree_v2", c_ulonglong(address))

    def write(self, address, data):
        self.call("cuMemcpyHtoD_v2", c_ulonglong(address), c_char_p(bytes(data)), c_size_t(len(data)))

    def read(self, address, size):
        data = ctypes.create_string_buffer(size)
        self.call("cuMemcpyDtoH_v2", data, c_ulonglong(address), c_size_t(size))
        return data.raw

    def copy(self, to, source, size):
        """Enqueues a copy on the stream."""
        self.call("cuMemcpyDtoDAsync_v2", c_ulonglong(to), c_ulonglong(source), c_size_t(size), self.stream)

    def clear(self, address, size):
        """Enqueues zeros on the stream."""
        self.call("cuMemsetD8Async", c_ulonglong(address), ctypes.c_ubyte(0), c_size_t(size), self.stream)

    # The stream.

    def synchronize(self):
        self.call("cuStreamSynchronize", self.stream)

    def event(self):
        event = c_void_p()
        self.call("cuEventCreate", byref(event), c_uint(0))
        return event

    def record(self, event):
        self.call("cuEventRecord", event, self.stream)

    def seconds(self, begin, end):
        milliseconds = c_float()
        self.call("cuEventSynchronize", end)
        self.call("cuEventElapsedTime", byref(milliseconds), begin, end)
        return milliseconds.value * 1e-3

    def capture(self, enqueue):
        """What `enqueue` puts on the stream, as a function that launches it all at once, and one that frees it."""
        graph, executable = c_void_p(), c_void_p()
        self.call("cuStreamBeginCapture_v2", self.stream, c_int(RELAXED))
        try:
            enqueue()
        finally:
            self.call("cuStreamEndCapture", self.stream, byref(graph))
        self.call("cuGraphInstantiateWithFlags", byref(executable), graph, c_ulonglong(0))
        self.call("cuGraphDestroy", graph)
        return lambda: self.call("cuGraphLaunch", executable, self.stream), lambda: self.call("cuGraphExecDestroy", executable)
