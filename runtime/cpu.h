/* Which x86-64 level this machine runs: 2, 3 or 4 (x86-64-v2 …), 1 when less. Read from cpuid and the enabled register state once;
 * thread-safe. */
#ifndef NORMFORGE_RUNTIME_CPU_H
#define NORMFORGE_RUNTIME_CPU_H
#ifdef __cplusplus
extern "C" {
#endif
int nf_cpu_level(void);
#ifdef __cplusplus
}
#endif
#endif
