/* The parameters of planar maps, of layers and of vector fields: raw ones w, u, b to sets w, u, b, s and back, with
 *
 *   u = u_raw + (s - 1 - t) w / |w|^2, t = w'u_raw, s = log(1 + softplus(t)), so that w'u = s - 1 > -1
 */
#ifndef BJ_NUM_PLANAR_H
#define BJ_NUM_PLANAR_H

#include "num-rows.h"

#define PLANAR_FLOOR 1e-24
/* number j of a set: one a row, or one for all */
#define PLANAR_AT(set, j) (rowwise ? vload((set) + (long)(j)*BJ_BLOCK + r) : vset((set)[j]))

typedef struct {
  vreal t, square, floor, k, s, ds; /* square = |w|^2; u = u_raw + k w; s and ds/dt as if |w|^2 were above its floor */
} planar_shift;

INLINE planar_shift planar_shift_of(const real *raw, int d, int r, int rowwise) {
  planar_shift at;
  at.t = at.square = vset(0);
  for (int j = 0; j < d; j++) {
    const vreal w = PLANAR_AT(raw, j);
    at.t += w * PLANAR_AT(raw, d + j);
    at.square += w * w;
  }
  vreal sigmoid;
  const vreal soft = vsoftplus_sigmoid(at.t, &sigmoid);
  at.s = vmax(vset(REAL_TINY), vlog1p(soft));
  at.ds = sigmoid / (1.0 + soft);
  /* the floor would make w'u < -1 where u_raw is so large that t is not small for such a w */
  at.floor = vselect(vlt(at.t, vset(-0.5)), vset(REAL_TINY), vset(PLANAR_FLOOR));
  at.k = (at.s - 1.0 - at.t) / vmax(at.floor, at.square);
  return at;
}

INLINE void planar_put(real *to, vreal v, int j, int r, int rowwise) {
  if (rowwise) {
    vstore(to + (long)j * BJ_BLOCK + r, v);
  } else {
    real lanes[BJ_LANES];
    vstore(lanes, v);
    to[j] = lanes[0];
  }
}

/* The second step along w takes the rounding errors of the first out of w'u, which s - 1 stands for everywhere else. */
INLINE void planar_constrain(const real *raw, real *set, int d, int r, int rowwise) {
  const planar_shift at = planar_shift_of(raw, d, r, rowwise);
  const vreal s = vselect(vlt(at.square, at.floor), 1.0 + at.t + at.k * at.square, at.s);
  vreal along = vset(0);
  for (int j = 0; j < d; j++) {
    const vreal w = PLANAR_AT(raw, j), u = PLANAR_AT(raw, d + j) + at.k * w;
    planar_put(set, w, j, r, rowwise);
    planar_put(set, u, d + j, r, rowwise);
    along += w * u;
  }
  const vreal rest = (s - 1.0 - along) / vmax(at.floor, at.square);
  for (int j = 0; j < d; j++) {
    planar_put(set, PLANAR_AT(set, d + j) + rest * PLANAR_AT(raw, j), d + j, r, rowwise);
  }
  planar_put(set, PLANAR_AT(raw, 2 * d), 2 * d, r, rowwise);
  planar_put(set, s, 2 * d + 1, r, rowwise);
}

/* Gradient of the raw parameters from that of the set: overwritten (rows) or added to (one set). */
INLINE void planar_constrain_vjp(const real *raw, const real *gset, real *graw, int d, int r, int rowwise) {
  const planar_shift at = planar_shift_of(raw, d, r, rowwise);
  const vint small = vlt(at.square, at.floor);
  const vreal over = 1.0 / vmax(at.floor, at.square), gs = PLANAR_AT(gset, 2 * d + 1);
  vreal gk = vselect(small, gs * at.square, vset(0));
  for (int j = 0; j < d; j++) gk += PLANAR_AT(gset, d + j) * PLANAR_AT(raw, j);
  const vreal gt = gs * vselect(small, vset(1), at.ds) + gk * over * (at.ds - 1.0);
  const vreal gsquare = vselect(small, gs * at.k, -gk * at.k * over);
  for (int j = 0; j <= 2 * d; j++) {
    vreal g = PLANAR_AT(gset, j);
    if (j < d) {
      g += at.k * PLANAR_AT(gset, d + j) + gt * PLANAR_AT(raw, d + j) + 2.0 * gsquare * PLANAR_AT(raw, j);
    } else if (j < 2 * d) {
      g += gt * PLANAR_AT(raw, j - d);
    }
    if (!rowwise) g += vset(graw[j]);
    planar_put(graw, g, j, r, rowwise);
  }
}

/* The u with which nothing moves, whatever w: u = t w / |w|^2 with m(t) = 0, that is softplus(t) = e - 1, makes u^ = 0.
 * Elements are `stride` apart. */
static inline void planar_still(const real *w, real *u, int d, int stride) {
  real square = 0;
  for (int j = 0; j < d; j++) square += w[j * stride] * w[j * stride];
  for (int j = 0; j < d; j++) u[j * stride] = inverse_softplus(exp(1) - 1) * w[j * stride] / square;
}

#endif
