/* Perceptrons in single precision for any processor: four lanes on GNU compilers, plain numbers elsewhere. */
#if defined(__GNUC__)
#define BJ_LANES 4
#else
#define BJ_LANES 1
#endif
#define BJ_SINGLE_CORE bj_single_baseline
#include "core/single.c"
