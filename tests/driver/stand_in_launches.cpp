// Modules, functions and launches of the stand-in driver: the emulator runs them.
#include "tests/driver/stand_in_state.h"

#include <algorithm>
#include <cstring>

#include "codegen/emulator.h"

namespace normforge::testing::stand_in {

void run(const Enqueued &launch) {
  const StandInKernel &kernel = *launch.function->module->kernel;
  for (const void *pointer : launch.args.tensors)
    if (pointer && !on_device(pointer)) {
      current->error = kIllegalAddress;
      events.push_back("fault: a pointer to the host");
      return;
    }
  set_emulated_multiprocessors(kMultiprocessors);
  kernel.emulated.steps()[launch.function->step].run(&launch.args, launch.begin, launch.end);
  if (const std::string fault = take_emulator_fault(); !fault.empty()) {
    current->error = kIllegalAddress;
    events.push_back("fault: " + fault);
  }
}

} // namespace normforge::testing::stand_in

using namespace normforge;
using namespace normforge::testing;
using namespace normforge::testing::stand_in;

extern "C" {

CUresult cuModuleLoadData(CUhandle *module, const void *image) {
  LOCKED;
  REFUSE(unsafe_refusal("cuModuleLoadData"));
  const char *bytes = static_cast<const char *>(image);
  const auto kernel = kernel_of_image(bytes);
  const char *kind = is_cubin(bytes) ? "cubin" : "ptx";
  if (!kernel)
    return kNoBinary;
  const int level = devices().at(size_t(current->device)), code = kernel->target->level;
  if (is_cubin(bytes) && (code / 10 != level / 10 || code > level))
    return kNoBinary;
  if (code > level)
    return kInvalidPtx;
  events.push_back(std::string("load ") + kind + " " + std::string(kernel->target->name));
  *module = new Module{current, kernel};
  return 0;
}

CUresult cuModuleUnload(CUhandle) {
  LOCKED;
  events.push_back("unload");
  return 0;
}

CUresult cuModuleGetFunction(CUhandle *function, CUhandle handle, const char *name) {
  LOCKED;
  REFUSE(refusal("cuModuleGetFunction"));
  Module *module = static_cast<Module *>(handle);
  const std::vector<Step> &steps = module->kernel->device.steps;
  for (size_t s = 0; s < steps.size(); ++s)
    if (steps[s].symbol == name) {
      *function = new Function{module, s};
      return 0;
    }
  return kNotFound;
}

CUresult cuFuncSetAttribute(CUhandle function, int attribute, int value) {
  LOCKED;
  Function &changed = *static_cast<Function *>(function);
  if (attribute == nf::cuda::kFunctionSharedBytes && value <= std::stoi(setting("SHARED", "232448")))
    changed.shared_bytes = value;
  else if (attribute == nf::cuda::kFunctionWideCluster)
    changed.cluster = value ? kWidestCluster : kPlainCluster;
  else
    return kInvalidValue;
  return 0;
}

/// Parameters are begin, end and the entries of nf_kernel_args that the kernel has.
CUresult cuLaunchKernel(CUhandle handle, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                        unsigned block_z, unsigned shared_bytes, CUhandle stream_handle, void **parameters, void **extra) {
  LOCKED;
  REFUSE(refusal("cuLaunchKernel"));
  Function *function = static_cast<Function *>(handle);
  Stream *stream = static_cast<Stream *>(stream_handle);
  if (function->module->context != current || (stream && (!streams.contains(stream) || stream->context != current)))
    return kInvalidHandle;
  const Launch &shape = function->module->kernel->device.steps[function->step].launch;
  if (int(block_x) != shape.threads || int(block_y) != shape.rows || block_z != 1 || grid_x == 0 || grid_y != 1 || grid_z != 1 || extra ||
      shared_bytes != shape.shared_bytes || shape.shared_bytes > function->shared_bytes)
    return kInvalidValue;
  if (shape.cluster > std::min(function->cluster, std::stoi(setting("CLUSTER", "16"))))
    return kInvalidCluster;
  Enqueued launch{.function = function, .args = {}};
  std::memcpy(&launch.begin, parameters[0], sizeof launch.begin);
  std::memcpy(&launch.end, parameters[1], sizeof launch.end);
  for (size_t p = 0; p < shape.parameters.size(); ++p)
    std::memcpy(reinterpret_cast<char *>(&launch.args) + shape.parameters[p], parameters[p + 2], 8);
  if (!shape.resident)
    launch.end = std::min(launch.end, launch.begin + int64_t(grid_x) / shape.cluster * shape.rows); // what so many blocks do
  else if (grid_x != nf::grid_of(launch.end - launch.begin, shape.rows, shape.cluster, shape.resident, kMultiprocessors))
    return kInvalidValue;
  if (stream && stream->capture) {
    stream->capture->push_back(launch);
    return 0;
  }
  events.push_back("launch " + std::to_string(grid_x) + " blocks of " + std::to_string(block_x) + "x" + std::to_string(block_y));
  run(launch);
  return 0;
}
}
