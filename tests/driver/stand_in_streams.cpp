// Streams, captures, graphs and events of the stand-in driver.
#include "tests/driver/stand_in_state.h"

#include <algorithm>
#include <utility>

using namespace normforge::testing::stand_in;

extern "C" {

CUresult cuStreamCreate(CUhandle *stream, unsigned) {
  LOCKED;
  REFUSE(refusal("cuStreamCreate"));
  *stream = *streams.insert(new Stream{current}).first;
  return 0;
}

CUresult cuStreamDestroy_v2(CUhandle stream) {
  LOCKED;
  return streams.erase(static_cast<Stream *>(stream)) ? 0 : kInvalidHandle;
}

CUresult cuStreamGetCtx(CUhandle stream, CUhandle *context) {
  LOCKED;
  if (!streams.contains(static_cast<Stream *>(stream)))
    return kInvalidHandle;
  *context = static_cast<Stream *>(stream)->context;
  return 0;
}

CUresult cuStreamSynchronize(CUhandle) {
  LOCKED;
  return unsafe_refusal("cuStreamSynchronize");
}

CUresult cuStreamBeginCapture_v2(CUhandle stream, int) {
  LOCKED;
  REFUSE(refusal("cuStreamBeginCapture"));
  static_cast<Stream *>(stream)->capture = new std::vector<Enqueued>;
  ++captures;
  return 0;
}

CUresult cuStreamEndCapture(CUhandle stream, CUhandle *graph) {
  LOCKED;
  *graph = std::exchange(static_cast<Stream *>(stream)->capture, nullptr);
  --captures;
  return 0;
}

CUresult cuThreadExchangeStreamCaptureMode(int *mode) {
  std::swap(*mode, capture_mode);
  return 0;
}

CUresult cuGraphInstantiateWithFlags(CUhandle *executable, CUhandle graph, unsigned long long) {
  REFUSE(refusal("cuGraphInstantiate"));
  *executable = new std::vector<Enqueued>(*static_cast<std::vector<Enqueued> *>(graph));
  return 0;
}

CUresult cuGraphDestroy(CUhandle graph) {
  delete static_cast<std::vector<Enqueued> *>(graph);
  return 0;
}

CUresult cuGraphExecDestroy(CUhandle executable) {
  delete static_cast<std::vector<Enqueued> *>(executable);
  return 0;
}

CUresult cuGraphLaunch(CUhandle executable, CUhandle) {
  LOCKED;
  REFUSE(refusal("cuGraphLaunch"));
  const auto &graph = *static_cast<std::vector<Enqueued> *>(executable);
  events.push_back("graph of " + std::to_string(std::ranges::count(graph, nullptr, &Enqueued::event)) + " launches");
  for (const Enqueued &each : graph)
    if (each.event)
      *each.event = std::chrono::steady_clock::now();
    else
      run(each);
  return current->error;
}

CUresult cuEventCreate(CUhandle *event, unsigned) {
  *event = new Time;
  return 0;
}
CUresult cuEventDestroy_v2(CUhandle event) {
  delete static_cast<Time *>(event);
  return 0;
}
CUresult cuEventRecord(CUhandle event, CUhandle) {
  LOCKED;
  *static_cast<Time *>(event) = std::chrono::steady_clock::now();
  return refusal("cuEventRecord");
}
CUresult cuEventRecordWithFlags(CUhandle event, CUhandle handle, unsigned flags) {
  LOCKED;
  Stream *stream = static_cast<Stream *>(handle);
  if (flags != 1 || !streams.contains(stream) || !stream->capture) // CU_EVENT_RECORD_EXTERNAL: into a graph
    return kInvalidValue;
  stream->capture->push_back({.function = nullptr, .args = {}, .begin = 0, .end = 0, .event = static_cast<Time *>(event)});
  return refusal("cuEventRecordWithFlags");
}
CUresult cuEventSynchronize(CUhandle) {
  LOCKED;
  return unsafe_refusal("cuEventSynchronize");
}
CUresult cuEventElapsedTime(float *milliseconds, CUhandle begin, CUhandle end) {
  *milliseconds = std::chrono::duration<float, std::milli>(*static_cast<Time *>(end) - *static_cast<Time *>(begin)).count();
  return 0;
}
}
