/* What the runtime takes from around it: the description of the library that it is part of, and the name of the environment variable that
 * forces a level. Packaging emits both; in process, in_process.cpp has them. They stand apart since the description reaches every kernel,
 * and a program links those of the functions that it calls alone, unless it asks for the description. */
#ifndef NORMFORGE_RUNTIME_LIBRARY_H
#define NORMFORGE_RUNTIME_LIBRARY_H
#include "runtime/description.h"
#ifdef __cplusplus
extern "C" {
#endif
extern const nf_library nf_this_library;
extern const char nf_level_variable[];
#ifdef __cplusplus
}
#endif
#endif
