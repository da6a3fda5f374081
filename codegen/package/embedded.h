// What every library is made with, carried inside the program so that it needs no files of its own: the runtime, compiled for libraries,
// and the headers whose text opens a library's header.
#pragma once

#include <string_view>

namespace normforge {

std::string_view runtime_archive();    ///< objects of runtime/, symbols under `nf_`
std::string_view runtime_header();     ///< runtime/runtime.h
std::string_view description_header(); ///< runtime/description.h
std::string_view cuda_header();        ///< runtime/cuda.h

} // namespace normforge
