/* What distributions of Student's t share: of one coordinate with v degrees of freedom, at u = (x - loc) / s
 *
 *   log p = c(v) - (v + 1) / 2 log(1 + u^2 / v),  c(v) = lgamma((v + 1) / 2) - lgamma(v / 2) - log(v pi) / 2
 *   P(U > a) = I(x; v / 2, 1/2) / 2,  x = v / (v + a^2),  y = 1 - x, a >= 0, the regularised incomplete beta function:
 *     I = x^(v/2) y^(1/2) / B(v/2, 1/2) f(v/2, 1/2, x) / (v/2), f its continued fraction, or by 1 - I(y; 1/2, v/2)
 *   by v: dx = x y / v, dy = -dx, d log(x^(v/2)) = (log x + y) / 2, d log(y^(1/2)) = -x / (2 v), and the fraction is
 *     differentiated step by step
 *   a draw moves with v so that its distribution function stays: du/dv = -(dF/dv) / p(u)
 */
#ifndef BJ_BASE_STUDENT_H
#define BJ_BASE_STUDENT_H

#include "base-common.h"

#define STUDENT_T_LEAST 1e-3 /* degrees of freedom, where they are trained */

/* In base-student-common.c. */

/* c(v), and its derivative. */
static void student_t_constant(real v, real *c, real *dc);

/* log P(U > a) for a >= 0 with v degrees of freedom, c = c(v), dc = c'(v), and its derivative by v up to 1e7 (NULL: not
 * wanted). */
static double student_t_log_tail(double v, double c, double dc, double a, double *by_v);

/* Both logarithms of tails at the rows of u. */
static void student_t_tails(real v, real c, vreal u, vreal *below, vreal *above);

/* du/dv of the rows of u, draws; kept where its square is finite, 0 where u is not. */
static vreal student_t_move(real v, real c, real dc, vreal u);

#endif
