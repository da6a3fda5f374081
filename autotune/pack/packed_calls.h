/* Calls of a pack's kernels, for a program that loads this library at run time: what a measurement needs to hold a choice beside other
 * libraries on a GPU, where there is no compiler that would make a library of it. C11. */
#ifndef NORMFORGE_PACKED_CALLS_H
#define NORMFORGE_PACKED_CALLS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A kernel of the pack's file `problem`, by its schedule, made ready for calls on the first GPU, whose context becomes current on this
 * thread. `extents` by axis and `scalars` by scalar of the norm, `addresses` on the GPU by tensor in the order of its declaration (0:
 * absent). Null: see normforge_packed_error(). */
void *normforge_packed_open(const char *problem, const char *schedule, const int64_t *extents, const double *scalars,
                            const uint64_t *addresses);

/** Starts a call on other tensors of the same extents, on a stream, and does not wait for it. 0: started. */
int normforge_packed_call(void *opened, const uint64_t *addresses, void *stream);

void normforge_packed_close(void *opened);

/** What went wrong last on this thread. */
const char *normforge_packed_error(void);

#ifdef __cplusplus
}
#endif
#endif
