/* What goes by the type of a real: its bits and its range, a row each, for double and for float.
 *
 * A vector of reals takes no double for a factor or a term unless it is written as a number that a float holds exactly.
 * Others are written (real)0.1, and so are negative ones, (real)-2.0, since a sign makes an expression of a number: a
 * cast is nothing where a real is a double. */
#ifndef BJ_NUM_REAL_H
#define BJ_NUM_REAL_H

#include <float.h>
#include <stdint.h>

#include "core.h"

#ifdef BJ_SINGLE
#define BY_REAL(of_double, of_float) of_float
#else
#define BY_REAL(of_double, of_float) of_double
#endif

/* What gradients of parameters are summed up in: doubles in the copy of nets and fields whose reals are floats. */
#ifdef BJ_SUM_DOUBLE
typedef double real_sum;
#else
typedef real real_sum;
#endif

/* ---- bits -------------------------------------------------------------------------------------------------------- */

typedef BY_REAL(int64_t, int32_t) real_int; /* as wide as a real */
typedef BY_REAL(uint64_t, uint32_t) real_bits;
#define REAL_BYTES BY_REAL(8, 4)
#define REAL_WIDTH BY_REAL(64, 32)
#define REAL_MANTISSA BY_REAL(52, 23) /* bits that are stored of it */
#define REAL_BIAS BY_REAL(1023, 127)  /* of the exponent: that of 1 */
#define REAL_INT_MIN BY_REAL(INT64_MIN, INT32_MIN)
#define REAL_INT_MAX BY_REAL(INT64_MAX, INT32_MAX)

/* ---- range ------------------------------------------------------------------------------------------------------- */

#define REAL_EPS BY_REAL(0x1p-52, 0x1p-23f) /* from 1 to the next */
#define REAL_MIN_NORMAL BY_REAL(DBL_MIN, FLT_MIN)
#define REAL_MAX BY_REAL(DBL_MAX, FLT_MAX)
#define REAL_INTEGERS BY_REAL(0x1p52, 0x1p23f) /* from here on there are only integers */
#define REAL_INTEGERS_BITS ((real_bits)(REAL_BIAS + REAL_MANTISSA) << REAL_MANTISSA)
/* Not the ends of the range, but far out, with room for a factor. */
#define REAL_TINY BY_REAL(1e-300, 1e-37f) /* normal, and so is its reciprocal */
#define REAL_HUGE BY_REAL(1e300, 1e37f)
#define REAL_SQUARE BY_REAL(1e150, 1e18f)      /* its square is finite, and a hundred times that */
#define REAL_PLUS_ONE BY_REAL(0x1p60, 0x1p30f) /* beyond it 1 + x^2 is x^2, which may overflow */

/* ---- the exponential --------------------------------------------------------------------------------------------- */

#define REAL_EXP_MAX BY_REAL(710.0, 89.0f)    /* from here on, and from a little before, e^x is Inf */
#define REAL_EXP_MIN BY_REAL(-708.3, -87.3f)  /* k ln 2 + r, r small, with the least k for which 2^k is normal */
#define REAL_EXP_ZERO BY_REAL(-709.0, -88.0f) /* and with the k below */
#define REAL_EXP_SAFE BY_REAL(700, 86)        /* e^x and e^-x are normal up to here, and some way beyond */

#endif
