// Apart from the rest, so that a program that does not ask for the description links no kernel for it.
#include "runtime/library.h"
#include "runtime/runtime.h"

extern "C" const nf_library *nf_describe(void) { return &nf_this_library; }
