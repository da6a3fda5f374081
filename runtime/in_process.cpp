// The runtime inside the normforge program, and in tests that bring no library of their own: its functions are compiled as they are wanted.
#include "runtime/library.h"

extern "C" const char nf_level_variable[] = "NORMFORGE_LEVEL";
extern "C" const nf_library nf_this_library = {"normforge", "0", nf_level_variable, 0, nullptr};
