/* The one thing that the runtime takes from around it: the description of the library that it is part of. Packaging emits it; in process,
 * in_process.cpp has one. */
#ifndef NORMFORGE_RUNTIME_LIBRARY_H
#define NORMFORGE_RUNTIME_LIBRARY_H
#include "runtime/description.h"
#ifdef __cplusplus
extern "C" {
#endif
extern const nf_library nf_this_library;
#ifdef __cplusplus
}
#endif
#endif
