/* The core for x86-64 processors with AVX512. The target is set here, not in Makevars, so that R's own flags apply. */
#include "core/core.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#define BJ_LANES 8
#define BJ_ISA "avx512"
#define BJ_CORE bj_core_avx512
#define BJ_SINGLE_CORE bj_single_avx512
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma"))), apply_to = function)
#include "core/core.c"
#pragma clang attribute pop
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma")
#include "core/core.c"
#pragma GCC pop_options
#endif
#else
/* Never chosen where the compiler or the machine cannot do it: R_init looks at `isa`. */
const bj_core bj_core_avx512 = {0};
#endif
