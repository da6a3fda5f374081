// A driver without a GPU: a libcuda.so.1 whose devices are the emulator. It has the entry points of the CUDA driver API that the runtime,
// `normforge run` and the tests call, with their meaning, and is strict about what the real one leaves to chance. A test loads it in the
// driver's place.
//
// What it pretends to be stands in environment variables, which are read when they matter:
//   NORMFORGE_STAND_IN_DEVICES   compute capabilities, such as 90,80; default 90; "none"
//   NORMFORGE_STAND_IN_VERSION   of CUDA, such as 12020; default 13000
//   NORMFORGE_STAND_IN_SHARED    bytes of shared memory that a block may have; default 232448
//   NORMFORGE_STAND_IN_CLUSTER   blocks of a cluster that the device holds at once; default 16
//   NORMFORGE_STAND_IN_FAIL      an entry point and the result that it gives, such as cuInit=100
//   NORMFORGE_STAND_IN_KERNELS   a file of kernels that it may be asked to load, a line each: target, problem, schedule, between tabs, and
//                                where it is known the hash of its PTX, so that none is compiled but what is asked for. The emulator runs
//                                what the compiler makes of these; an image that is none of them is refused. Or a directory: a cache of
//                                compiled kernels, any of which it may be asked to load.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace normforge::testing {

/// What the driver was asked to do since this was last called: "load cubin sm_90", "unload", "launch 4x1 blocks of 32x4", "fault: …".
std::vector<std::string> take_driver_events();

} // namespace normforge::testing

// The driver API's own declarations, as far as tests use them.
extern "C" {
using CUresult = int;
using CUdeviceptr = uint64_t;
using CUhandle = void *; ///< contexts, streams, events, graphs, modules, functions

CUresult cuInit(unsigned flags);
CUresult cuDevicePrimaryCtxRetain(CUhandle *context, int device);
CUresult cuCtxCreate_v2(CUhandle *context, unsigned flags, int device);
CUresult cuCtxDestroy_v2(CUhandle context);
CUresult cuCtxSetCurrent(CUhandle context);
CUresult cuCtxSynchronize();
CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes);
CUresult cuMemFree_v2(CUdeviceptr pointer);
CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes);
CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes);
CUresult cuStreamCreate(CUhandle *stream, unsigned flags);
CUresult cuStreamDestroy_v2(CUhandle stream);
CUresult cuStreamBeginCapture_v2(CUhandle stream, int mode);
CUresult cuStreamEndCapture(CUhandle stream, CUhandle *graph);
CUresult cuGraphInstantiateWithFlags(CUhandle *executable, CUhandle graph, unsigned long long flags);
CUresult cuGraphLaunch(CUhandle executable, CUhandle stream);
}
