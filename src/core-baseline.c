/* The core for any processor: two lanes on GNU compilers (SSE2, NEON), plain numbers elsewhere. */
#if defined(__GNUC__)
#define BJ_LANES 2
#else
#define BJ_LANES 1
#endif
#define BJ_ISA "baseline"
#define BJ_CORE bj_core_baseline
#define BJ_SINGLE_CORE bj_single_baseline
#include "core/core.c"
